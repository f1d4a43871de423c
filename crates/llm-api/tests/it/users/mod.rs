mod me;
mod settings;
