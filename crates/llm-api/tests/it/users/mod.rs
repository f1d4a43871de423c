mod me;
mod memories;
mod settings;
