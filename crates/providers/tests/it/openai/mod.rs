mod failures;
mod models;
mod streamed;
mod whole;
