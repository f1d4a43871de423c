mod activate;
mod create;
mod delete;
mod get;
mod list;

use serde_json::{Value, json};

use super::{PATH, make, talk, texts};
use crate::support::App;
