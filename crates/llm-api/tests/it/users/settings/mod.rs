//! What the tests of the settings share.

mod get;
mod preferences;
mod update;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testkit::{
    client::{Answer, Client},
    upstream::Upstream,
};

use crate::support::{App, NOW};

const PATH: &str = "/v1/users/me/settings";
const PREFERENCES: &str = "/v1/users/me/settings/preferences";

pub(super) async fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.call(Method::PATCH, path, Some(body.to_string().into())).await
}

pub(super) async fn settings(client: &Client) -> Value {
    client.get(PATH).await.expect(200).json()
}
