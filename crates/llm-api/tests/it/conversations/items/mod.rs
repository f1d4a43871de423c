mod add;
mod by_call;
mod delete;
mod edit;
mod finish_call;
mod get;
mod list;
mod rate;
mod regenerate;

use serde_json::{Value, json};

use super::{PATH, UNKNOWN, make, patch, put, talk, texts};
use crate::support::App;
