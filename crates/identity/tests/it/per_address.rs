//! Credentials that nobody knows, from one address: so many, and then no question to the database (`security.md` K5).

use std::{net::IpAddr, time::Duration};

use domain::{Kind, Result, audit::Origin};
use identity::{Credentials, Identity};
use testkit::database::Database;

use crate::support::Server;

/// Those that an address has in an hour.
const ALLOWED: usize = 600;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn unknown_key(n: usize) -> String {
    format!("sk_live_{n:048x}")
}

/// The code of what comes of an API key.
async fn try_key(server: &Server, key: &str, from: IpAddr) -> &'static str {
    let offered = Credentials { bearer: None, api_key: Some(key) };
    server.identity.verify(offered, Some(from)).await.map_or_else(|error| error.code(), |_| "good")
}

fn at(identity: &Identity, from: IpAddr) -> Identity {
    identity.acting(Origin { address: Some(from), ..Origin::default() })
}

fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "good")
}

#[tokio::test]
async fn guesses_end_and_hold_up_nobody_else() {
    let database = Database::sqlite();
    let server = Server::new(&database).await;
    let caller = server.caller().await;
    let (_, known) = server.key(&caller, &[]).await;
    let (_, new) = server.key(&caller, &[]).await;
    let (here, elsewhere) = (address("203.0.113.7"), address("203.0.113.8"));
    assert_eq!(try_key(&server, known.expose(), here).await, "good");
    for n in 0..ALLOWED {
        assert_eq!(try_key(&server, &unknown_key(n), here).await, "invalid_api_key");
    }
    let offered =
        Credentials { bearer: None, api_key: Some("sk_live_000000000000000000000000000000000000000000000fff") };
    let error = server.identity.verify(offered, Some(here)).await.unwrap_err();
    assert_eq!(error.code(), "rate_limit_exceeded");
    assert!(matches!(error.kind(), Kind::RateLimited(Some(pause)) if pause <= Duration::from_mins(1)), "{error:?}");

    // What is wrong in its form asks nobody and is refused as ever; what was good a moment ago is no guess.
    assert_eq!(try_key(&server, "sk_live_s p a c e", here).await, "invalid_api_key");
    assert_eq!(try_key(&server, known.expose(), here).await, "good");
    server.clock.advance(Duration::from_secs(3));
    assert_eq!(try_key(&server, known.expose(), here).await, "good", "also when its proof is read again");
    assert_eq!(try_key(&server, new.expose(), here).await, "rate_limit_exceeded", "unknown here yet");
    assert_eq!(try_key(&server, new.expose(), elsewhere).await, "good");
    assert_eq!(try_key(&server, &unknown_key(9_999), elsewhere).await, "invalid_api_key");

    // A token proves itself, and counts nowhere.
    let token = server.guest().await.access_token;
    let forged = format!("{}AAAA", &token.expose()[..token.expose().len() - 4]);
    for (text, code_of) in [(token.expose(), "good"), (forged.as_str(), "invalid_token")] {
        let offered = Credentials { bearer: Some(text), api_key: None };
        assert_eq!(code(server.identity.verify(offered, Some(here)).await), code_of);
    }

    // Ending a session asks the same question, and counts with them.
    let ended = at(&server.identity, here).end_session(new.expose()).await;
    assert_eq!(code(ended), "rate_limit_exceeded");
    // Refresh tokens are apart.
    let guest = server.guest().await;
    assert_eq!(code(at(&server.identity, here).refresh(guest.refresh_token.expose()).await), "good");
    server.clock.advance(Duration::from_hours(1));
    assert_eq!(try_key(&server, new.expose(), here).await, "good", "the allowance comes back");
}

#[tokio::test]
async fn refresh_tokens_that_nobody_knows_end_too() {
    let database = Database::sqlite();
    let server = Server::new(&database).await;
    let here = at(&server.identity, address("2001:db8::1"));
    let good = server.guest().await.refresh_token;
    let unknown = |n: usize| {
        let mark = identity::REFRESH_MARK;
        format!("{mark}{n:0width$x}", width = good.expose().len() - mark.len())
    };
    for n in 0..ALLOWED {
        let outcome =
            if n % 2 == 0 { here.refresh(&unknown(n)).await.map(drop) } else { here.end_session(&unknown(n)).await };
        assert_eq!(code(outcome), "invalid_refresh_token");
    }
    let neighbour = at(&server.identity, address("2001:db8::2"));
    assert_eq!(code(neighbour.refresh(&unknown(ALLOWED)).await), "rate_limit_exceeded", "a network is one customer");
    assert_eq!(code(neighbour.end_session(&unknown(ALLOWED)).await), "rate_limit_exceeded");
    let (caller, from) = (server.caller().await, address("2001:db8::1"));
    let (_, key) = server.key(&caller, &[]).await;
    assert_eq!(try_key(&server, key.expose(), from).await, "good", "API keys are apart");
    assert_eq!(try_key(&server, &unknown_key(1), from).await, "invalid_api_key");
    assert_eq!(
        code(neighbour.refresh("nonsense").await),
        "invalid_refresh_token",
        "its form is wrong: nobody is asked"
    );
    assert_eq!(code(at(&server.identity, address("2001:db8:0:1::1")).refresh(good.expose()).await), "good");
}

#[tokio::test]
async fn a_lapsed_token_is_no_guess() {
    let database = Database::sqlite();
    let server = Server::new(&database).await;
    let token = server.guest().await.access_token;
    server.clock.advance(Duration::from_hours(2));
    let here = address("203.0.113.7");
    for _ in 0..=ALLOWED {
        let offered = Credentials { bearer: Some(token.expose()), api_key: None };
        assert_eq!(code(server.identity.verify(offered, Some(here)).await), "token_expired");
    }
}
