//! The pages as HTML. Whatever comes from outside is escaped here.

use std::fmt::Write;

use app::html::Escaped;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::secret;
use identity::Identity;
use url::form_urlencoded::Serializer;

use super::Asked;

const STYLE: &str = "
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { width: min(22rem, 90vw); padding: 1rem; }
h1 { font-size: 1.4rem; }
label { display: block; margin-top: 1rem; }
input, button { box-sizing: border-box; width: 100%; padding: .6rem; font: inherit; border: 1px solid; border-radius: .3rem; }
button { margin-top: 1.5rem; font-weight: bold; cursor: pointer; }
[role=alert] { border-left: .3rem solid #c22; padding-left: .6rem; }
small { display: block; }
";

/// What a form shows again of what was typed. Never the password.
#[derive(Clone, Copy, Default)]
pub(super) struct Typed<'a> {
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) username: &'a str,
}

/// How else one may come in than by a password.
#[derive(Clone, Copy)]
pub(super) struct Ways<'a> {
    /// Whether an account can be made.
    pub(super) register: bool,
    /// What the external provider is called.
    pub(super) provider: Option<&'a str>,
}

impl<'a> Ways<'a> {
    pub(super) fn of(identity: &'a Identity) -> Self {
        Self { register: identity.registration(), provider: identity.external_sign_in() }
    }
}

/// One of the page's forms.
pub(super) struct Form {
    pub(super) title: &'static str,
    pub(super) body: String,
}

/// The form that is asked for.
pub(super) fn form(asked: &Asked, browser: &str, typed: Typed<'_>, problem: Option<&str>, ways: Ways<'_>) -> Form {
    if asked.register.is_some() && ways.register {
        Form { title: "Make an account", body: register(asked, browser, typed, problem) }
    } else if asked.change_password.is_some() {
        Form { title: "Change the password", body: change_password(asked, browser, typed, problem) }
    } else {
        Form { title: "Sign in", body: sign_in(asked, browser, typed, problem, ways) }
    }
}

/// The form to sign in.
fn sign_in(asked: &Asked, browser: &str, typed: Typed<'_>, problem: Option<&str>, ways: Ways<'_>) -> String {
    let mut body = begin("Sign in", problem, asked, browser);
    let described = if problem.is_some() { r#" aria-describedby="problem""# } else { "" };
    let name = Escaped(typed.name);
    _ = write!(
        body,
        r#"<label for="name">E-mail or username</label>
<input id="name" name="name" value="{name}" autocomplete="username" required autofocus{described}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{described}>
<button type="submit">Sign in</button>
</form>
"#
    );
    if let Some(provider) = ways.provider {
        let link = other_form(asked, &[("provider", "oidc")]);
        _ = writeln!(body, r#"<p>Or <a href="{link}">sign in with {}</a></p>"#, Escaped(provider));
    }
    if ways.register {
        let link = other_form(asked, &[("register", "1")]);
        _ = writeln!(body, r#"<p>New here? <a href="{link}">Make an account</a></p>"#);
    }
    let link = other_form(asked, &[("change_password", "1")]);
    _ = writeln!(body, r#"<p><a href="{link}">Change the password</a></p>"#);
    body
}

/// The form to change the password, which signs in, too.
fn change_password(asked: &Asked, browser: &str, typed: Typed<'_>, problem: Option<&str>) -> String {
    let mut body = begin("Change the password", problem, asked, browser);
    let described = if problem.is_some() { r#" aria-describedby="problem""# } else { "" };
    let (name, link) = (Escaped(typed.name), other_form(asked, &[]));
    _ = write!(
        body,
        r#"<input type="hidden" name="change_password" value="1">
<label for="name">E-mail or username</label>
<input id="name" name="name" value="{name}" autocomplete="username" required autofocus{described}>
<label for="password">Password until now</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{described}>
<label for="new_password">New password</label>
<input id="new_password" name="new_password" type="password" autocomplete="new-password" minlength="8" required aria-describedby="hint">
<small id="hint">At least 8 characters. You are signed out everywhere else.</small>
<button type="submit">Change it and sign in</button>
</form>
<p>Keep it? <a href="{link}">Sign in</a></p>
"#
    );
    body
}

/// The form to make an account.
fn register(asked: &Asked, browser: &str, typed: Typed<'_>, problem: Option<&str>) -> String {
    let mut body = begin("Make an account", problem, asked, browser);
    body.push_str("<input type=\"hidden\" name=\"register\" value=\"1\">\n");
    account(&mut body, typed);
    let link = other_form(asked, &[]);
    _ = writeln!(body, r#"<p>You have one? <a href="{link}">Sign in</a></p>"#);
    body
}

/// The form to make the first administrator.
pub(super) fn setup(token: &str, typed: Typed<'_>, problem: Option<&str>) -> String {
    let mut body = String::from("<h1>Make the administrator</h1>\n");
    if let Some(problem) = problem {
        _ = writeln!(body, r#"<p role="alert" id="problem">{}</p>"#, Escaped(problem));
    }
    body.push_str("<form method=\"post\" action=\"setup\">\n");
    _ = writeln!(body, r#"<input type="hidden" name="token" value="{}">"#, Escaped(token));
    account(&mut body, typed);
    body
}

/// The form that confirms an address.
pub(super) fn verify_email(token: &str, email: &str) -> String {
    let (token, email) = (Escaped(token), Escaped(email));
    format!(
        r#"<h1>Confirm the address</h1>
<p>Is <strong>{email}</strong> yours?</p>
<form method="post" action="verify-email">
<input type="hidden" name="token" value="{token}">
<button type="submit">Yes, confirm it</button>
</form>
"#
    )
}

/// The fields of an account, and the end of the form.
fn account(body: &mut String, typed: Typed<'_>) {
    let (email, username) = (Escaped(typed.email), Escaped(typed.username));
    _ = write!(
        body,
        r#"<label for="email">E-mail</label>
<input id="email" name="email" type="email" value="{email}" autocomplete="email" required autofocus>
<label for="username">Username (optional)</label>
<input id="username" name="username" value="{username}" autocomplete="username" minlength="3" maxlength="64">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="8" required aria-describedby="hint">
<small id="hint">At least 8 characters.</small>
<button type="submit">Make the account</button>
</form>
"#
    );
}

/// What is shown where there is nothing to fill in.
pub(super) fn message(title: &str, text: &str) -> String {
    format!("<h1>{}</h1>\n<p>{}</p>\n", Escaped(title), Escaped(text))
}

fn begin(title: &str, problem: Option<&str>, asked: &Asked, browser: &str) -> String {
    let mut body = format!("<h1>{title}</h1>\n");
    if let Some(problem) = problem {
        _ = writeln!(body, r#"<p role="alert" id="problem">{}</p>"#, Escaped(problem));
    }
    body.push_str("<form method=\"post\" action=\"authorize\">\n");
    for (name, value) in asked.fields().into_iter().chain([("browser", browser)]) {
        _ = writeln!(body, r#"<input type="hidden" name="{name}" value="{}">"#, Escaped(value));
    }
    body
}

/// Another form of the page, or the way to the provider.
fn other_form(asked: &Asked, more: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(asked.fields()).extend_pairs(more);
    Escaped(&format!("authorize?{}", query.finish())).to_string()
}

/// A whole page, that nobody keeps, frames or scripts.
pub(super) fn answer(status: StatusCode, title: &str, body: &str) -> Response {
    let nonce = secret::hex(&secret::random::<16>());
    let title = Escaped(title);
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Jan</title>
<style nonce="{nonce}">{STYLE}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"#
    );
    // No `form-action`: browsers apply it to where the form's answer redirects to, which is another site at times.
    let policy = format!("default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'");
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Not `no-referrer`: with that, browsers say `Origin: null` of the form, and it would be refused.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "\"><script>alert('x')</script>&";
        let asked = Asked { state: evil.to_owned(), ..Asked::default() };
        let typed = Typed { name: evil, email: evil, username: evil };
        for page in [
            sign_in(&asked, evil, typed, Some(evil), Ways { register: true, provider: Some(evil) }),
            register(&asked, evil, typed, Some(evil)),
            change_password(&asked, evil, typed, Some(evil)),
            setup(evil, typed, Some(evil)),
            verify_email(evil, evil),
            message(evil, evil),
        ] {
            assert!(!page.contains("<script") && !page.contains("'x'"), "{page}");
            assert!(page.contains("&lt;script&gt;"), "{page}");
        }
    }
}
