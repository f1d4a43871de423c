//! `jan-server user`: users for who has the data, without signing in.

use std::{
    fmt::Write,
    io::{Read, stdin},
};

use anyhow::{Context, ensure};
use domain::{
    Role, Secret,
    page::{Order, PageRequest},
    secret,
    user::User as Row,
};
use identity::AccountWish;

use crate::{
    cli::{Common, User},
    commands::{block_on, open, print, say},
};

/// Users of a page, of which a list prints all.
const PAGE: u32 = 100;
/// Most bytes read as a password; one may be shorter.
const MOST_BYTES: u64 = 4 * 1024;

pub(crate) fn run(command: &User) -> anyhow::Result<()> {
    match command {
        User::Create { email, username, name, admin, password_stdin, common } => {
            let password = password(*password_stdin)?;
            let wish = AccountWish {
                email: email.clone(),
                username: username.clone(),
                name: name.clone(),
                password: Some(password.clone()),
            };
            create(wish, *admin, (!password_stdin).then_some(&password), common)
        }
        User::List { common } => list(common),
        User::Promote { user, undo, common } => promote(user, !undo, common),
        User::EmailLink { user, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let user = identity.find_user(user).await?;
            let link = identity.email_link(&user).await?;
            store.close().await;
            say(&format!("Send this to {}; it counts for a day, once:", user.email.as_deref().unwrap_or_default()));
            print(&format!("{link}\n"))
        }),
        User::VerifyEmail { user, common } => block_on(async {
            let (store, identity) = open(common).await?;
            let user = identity.find_user(user).await?;
            let user = identity.verify_email(&user.id).await?;
            store.close().await;
            say(&format!("{} counts as verified", user.email.unwrap_or_default()));
            Ok(())
        }),
        User::ResetPassword { user, password_stdin, revoke_keys, common } => {
            let password = password(*password_stdin)?;
            reset_password(user, &password, !password_stdin, *revoke_keys, common)
        }
        User::Disable { user, undo, common } => disable(user, !undo, common),
    }
}

fn create(wish: AccountWish, admin: bool, made: Option<&Secret>, common: &Common) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(common).await?;
        let user = identity.create_account(wish, roles(admin)).await?;
        store.close().await;
        let mut text = format!("id        {}\nusername  {}\n", user.id, user.username);
        _ = writeln!(text, "email     {}", user.email.as_deref().unwrap_or_default());
        _ = writeln!(text, "roles     {}", names(&user));
        if let Some(password) = made {
            _ = writeln!(text, "password  {}", password.expose());
        }
        print(&text)
    })
}

fn list(common: &Common) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(common).await?;
        let mut page = PageRequest { limit: PAGE, after: None, order: Order::Asc };
        loop {
            let users = identity.users(&page).await?;
            let mut text = String::new();
            for user in &users.items {
                let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
                let email = user.email.as_deref().unwrap_or_default();
                _ = writeln!(text, "{}  {:<8}  {:<10}  {:<24}  {email}", user.id, state, names(user), user.username);
            }
            print(&text)?;
            page.after = users.items.last().map(|user| user.id.to_string());
            if !users.has_more {
                break;
            }
        }
        store.close().await;
        Ok(())
    })
}

fn promote(name: &str, admin: bool, common: &Common) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(common).await?;
        let user = identity.find_user(name).await?;
        identity.set_roles(&user.id, &roles(admin)).await?;
        store.close().await;
        say(&format!("{} is {}", user.username, if admin { "an administrator" } else { "an ordinary user" }));
        Ok(())
    })
}

fn reset_password(name: &str, password: &Secret, show: bool, revoke_keys: bool, common: &Common) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(common).await?;
        let user = identity.find_user(name).await?;
        let keys = identity.reset_password(&user, password, revoke_keys).await?;
        store.close().await;
        say(&format!("{} has a new password and is signed out everywhere", user.username));
        if keys > 0 {
            say(&format!("API keys that stay good: {keys}; --revoke-keys takes them back"));
        }
        if show { print(&format!("{}\n", password.expose())) } else { Ok(()) }
    })
}

fn disable(name: &str, disabled: bool, common: &Common) -> anyhow::Result<()> {
    block_on(async {
        let (store, identity) = open(common).await?;
        let user = identity.find_user(name).await?;
        identity.set_disabled(&user.id, disabled).await?;
        store.close().await;
        say(&format!("{} is {}", user.username, if disabled { "kept out" } else { "let in again" }));
        Ok(())
    })
}

fn roles(admin: bool) -> Vec<Role> {
    if admin { vec![Role::User, Role::Admin] } else { vec![Role::User] }
}

fn names(user: &Row) -> String {
    user.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}

/// The password of standard input, or a new one of 96 random bits. It is no flag: others can read a command line.
fn password(from_stdin: bool) -> anyhow::Result<Secret> {
    if !from_stdin {
        return Ok(Secret::new(secret::hex(&secret::random::<12>())));
    }
    let mut text = String::new();
    stdin().take(MOST_BYTES).read_to_string(&mut text).context("the password cannot be read from standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "there is no password on standard input");
    Ok(Secret::new(password))
}
