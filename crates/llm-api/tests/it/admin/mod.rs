mod audit_log;
mod prompt_templates;
mod users;

use domain::{Role, Secret, user::User};
use identity::AccountWish;
use testkit::client::Client;

use crate::support::App;

const PASSWORD: &str = "correct horse";

/// An account with these roles, signed in.
pub(crate) async fn account(app: &App, name: &str, roles: Vec<Role>) -> (Client, User) {
    let wish = AccountWish {
        email: format!("{name}@example.org"),
        username: Some(name.to_owned()),
        name: None,
        password: Some(Secret::new(PASSWORD)),
    };
    let user = app.identity.create_account(wish, roles).await.unwrap();
    app.clock.advance(std::time::Duration::from_secs(1));
    (sign_in(app, name).await, user)
}

async fn sign_in(app: &App, name: &str) -> Client {
    let signed_in = app.identity.sign_in(name, &Secret::new(PASSWORD)).await.unwrap();
    app.anonymous().bearer(signed_in.access_token.expose())
}

pub(crate) async fn admin(app: &App) -> (Client, User) {
    account(app, "root", vec![Role::User, Role::Admin]).await
}
