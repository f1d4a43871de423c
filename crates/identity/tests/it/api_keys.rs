//! API keys: making, using, taking back (`security.md` K1–K5).

use std::time::Duration;

use domain::{
    Kind, Method,
    api_key::Status,
    page::{Order, PageRequest},
};
use identity::{Credentials, NewKey, Options};
use testkit::on_both_databases;

use crate::support::{NOW, Server};

fn named(name: &str) -> NewKey {
    NewKey { name: name.to_owned(), ..NewKey::default() }
}

fn first_page() -> PageRequest {
    PageRequest::parse(None, None, None).unwrap()
}

on_both_databases! {
    async fn a_key_is_shown_once_and_believed(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (row, key) = server.key(&caller, &["chat:write", "chat:write", "models:read"]).await;
        let key = key.expose();
        let hex = key.strip_prefix("sk_live_").expect("the prefix that secret scanners know");
        assert_eq!(hex.len(), 48);
        assert!(hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_eq!(row.prefix, "sk_live");
        assert!(key.ends_with(&row.suffix) && row.suffix.len() == 4);
        assert_eq!(row.expires_at, NOW + Duration::from_hours(2_160));
        assert_eq!(row.scopes, ["chat:write", "models:read"]);

        let by_bearer = server.bearer(key).await.unwrap();
        assert_eq!(by_bearer.user_id, caller.user_id);
        assert_eq!(by_bearer.method, Method::ApiKey(row.id.clone()));
        assert_eq!(by_bearer.scopes, row.scopes);
        let by_header = server.verdict(Credentials { bearer: None, api_key: Some(key) }).await.unwrap();
        assert_eq!(by_header, by_bearer);
    }

    async fn unknown_revoked_and_expired_look_the_same(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (revoked, revoked_key) = server.key(&caller, &[]).await;
        server.bearer(revoked_key.expose()).await.unwrap();
        server.identity.revoke_key(&caller, revoked.id.as_str()).await.unwrap();
        let short = NewKey { life: Some(Duration::from_mins(1)), ..named("short") };
        let (_, expired_key) = server.identity.create_key(&caller, short).await.unwrap();
        server.bearer(expired_key.expose()).await.unwrap();
        server.clock.advance(Duration::from_mins(1));

        let unknown = format!("sk_live_{}", "0".repeat(48));
        let mut texts = Vec::new();
        for key in [revoked_key.expose(), expired_key.expose(), &unknown] {
            assert_eq!(server.refusal(key).await, "invalid_api_key");
            texts.push(server.bearer(key).await.unwrap_err().to_string());
        }
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    }

    async fn at_most_five_however_many_ask_at_once(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let wishes = (0..12).map(|n| {
            let (identity, caller) = (server.identity.clone(), caller.clone());
            async move { identity.create_key(&caller, named(&format!("key {n}"))).await }
        });
        let made = futures_util::future::join_all(wishes).await;
        let (good, bad): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
        assert_eq!(good.len(), 5);
        for error in bad.into_iter().map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "api_key_limit_reached"));
            assert!(error.message().contains("limit"));
        }
        // A revoked key leaves room for another; other users have room anyway.
        let page = server.identity.list_keys(&caller, false, &first_page()).await.unwrap();
        assert_eq!(page.total, Some(5));
        server.identity.revoke_key(&caller, page.items[0].id.as_str()).await.unwrap();
        server.key(&caller, &[]).await;
        let other = server.caller().await;
        server.key(&other, &[]).await;
    }

    async fn keys_are_their_owners_alone(database: Database) {
        let server = Server::new(&database).await;
        let (owner, other) = (server.caller().await, server.caller().await);
        let (row, key) = server.key(&owner, &[]).await;
        let foreign = server.identity.revoke_key(&other, row.id.as_str()).await.unwrap_err();
        let unknown = server.identity.revoke_key(&other, "key_00000000000000000000").await.unwrap_err();
        assert_eq!((foreign.code(), foreign.message()), (unknown.code(), unknown.message()));
        assert_eq!(foreign.code(), "api_key_not_found");
        let malformed = server.identity.revoke_key(&other, "no id'; --").await.unwrap_err();
        assert_eq!(malformed.code(), "api_key_not_found");
        assert!(server.identity.list_keys(&other, true, &first_page()).await.unwrap().items.is_empty());
        let after = PageRequest { after: Some(row.id.to_string()), ..first_page() };
        let error = server.identity.list_keys(&other, true, &after).await.unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("invalid_cursor", Some("after")));
        server.bearer(key.expose()).await.expect("still the owner's");
    }

    async fn a_list_has_pages_and_hides_what_is_over(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            server.clock.advance(Duration::from_millis(1));
            ids.push(server.key(&caller, &[]).await.0.id);
        }
        server.identity.revoke_key(&caller, ids[3].as_str()).await.unwrap();
        let page = PageRequest { limit: 2, ..first_page() };
        let first = server.identity.list_keys(&caller, false, &page).await.unwrap();
        assert_eq!(first.items.iter().map(|key| &key.id).collect::<Vec<_>>(), [&ids[2], &ids[1]]);
        assert!(first.has_more);
        assert_eq!(first.total, Some(3));
        let page = PageRequest { after: Some(ids[1].to_string()), ..page };
        let second = server.identity.list_keys(&caller, false, &page).await.unwrap();
        assert_eq!(second.items.len(), 1);
        assert!(!second.has_more);
        let all = PageRequest { order: Order::Asc, ..first_page() };
        let all = server.identity.list_keys(&caller, true, &all).await.unwrap();
        assert_eq!(all.items.iter().map(|key| &key.id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
        assert_eq!(all.items[3].status(server.clock.now()), Status::Revoked);
    }

    async fn a_key_is_taken_back_once_and_at_once(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (row, key) = server.key(&caller, &[]).await;
        server.bearer(key.expose()).await.unwrap();
        server.identity.revoke_key(&caller, row.id.as_str()).await.unwrap();
        assert_eq!(server.refusal(key.expose()).await, "invalid_api_key", "the clock stands still");
        let again = server.identity.revoke_key(&caller, row.id.as_str()).await.unwrap_err();
        assert_eq!(again.code(), "api_key_not_found");
    }

    async fn keys_manage_keys_only_if_made_for_it(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (row, plain) = server.key(&caller, &[]).await;
        let plain = server.bearer(plain.expose()).await.unwrap();
        for error in [
            server.identity.create_key(&plain, named("more")).await.unwrap_err(),
            server.identity.list_keys(&plain, false, &first_page()).await.unwrap_err(),
            server.identity.revoke_key(&plain, row.id.as_str()).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.code()), (Kind::Forbidden, "insufficient_scope"));
        }

        let (_, manager) = server.key(&caller, &["keys:manage", "chat:write"]).await;
        let manager = server.bearer(manager.expose()).await.unwrap();
        server.identity.list_keys(&manager, false, &first_page()).await.unwrap();
        let lesser = NewKey { scopes: vec!["chat:write".to_owned()], ..named("lesser") };
        server.identity.create_key(&manager, lesser).await.unwrap();
        for scopes in [vec![], vec!["admin".to_owned()]] {
            let greater = NewKey { scopes, ..named("greater") };
            let error = server.identity.create_key(&manager, greater).await.unwrap_err();
            assert_eq!((error.code(), error.param_name()), ("insufficient_scope", Some("scopes")));
        }
        // Nobody plants a key that administers once its owner may.
        let early = NewKey { scopes: vec!["admin".to_owned()], ..named("early") };
        assert_eq!(server.identity.create_key(&caller, early).await.unwrap_err().code(), "insufficient_scope");
        server.identity.revoke_key(&manager, row.id.as_str()).await.unwrap();
    }

    async fn two_credentials_must_be_one_users(database: Database) {
        let server = Server::new(&database).await;
        let (one, other) = (server.guest().await, server.caller().await);
        let caller = server.bearer(one.access_token.expose()).await.unwrap();
        let (_, own) = server.key(&caller, &[]).await;
        let (_, foreign) = server.key(&other, &[]).await;
        let bearer = Some(one.access_token.expose());
        let both = |key| Credentials { bearer, api_key: Some(key) };
        let verdict = server.verdict(both(own.expose())).await.unwrap();
        assert!(matches!(verdict.method, Method::Jwt(_)), "the bearer counts");
        for _ in 0..2 {
            let error = server.verdict(both(foreign.expose())).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Unauthenticated, "conflicting_credentials"));
        }
        let error = server.verdict(both("sk_live_0")).await.unwrap_err();
        assert_eq!(error.code(), "invalid_api_key");
    }
}

#[tokio::test]
async fn malformed_keys_are_refused_unread() {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    server.store.close().await; // Whoever asks the database now gets 503.
    for key in ["sk_", "sk_live_\u{e9}", "sk_live_'; --", &format!("sk_{}", "a".repeat(254))] {
        let offered = Credentials { bearer: None, api_key: Some(key) };
        let answer = server.verdict(offered).await.unwrap_err();
        if key == "sk_" {
            continue; // Short, but of the right form.
        }
        assert_eq!(answer.code(), "invalid_api_key", "{key}");
    }
    let offered = Credentials { bearer: None, api_key: Some("a.token.there") };
    assert_eq!(server.verdict(offered).await.unwrap_err().code(), "invalid_api_key");
    assert_eq!(server.verdict(Credentials::default()).await.unwrap_err().code(), "missing_credentials");
}

#[tokio::test]
async fn a_wish_that_cannot_be_granted_names_its_field() {
    let database = testkit::database::Database::sqlite();
    let server = Server::new(&database).await;
    let caller = server.caller().await;
    let scopes = |scopes: &[&str]| NewKey { scopes: scopes.iter().map(|s| (*s).to_owned()).collect(), ..named("x") };
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    let cases = [
        (named(""), "name"),
        (named("  "), "name"),
        (named(&"n".repeat(101)), "name"),
        (named("a\u{0}b"), "name"),
        (NewKey { life: Some(Duration::ZERO), ..named("x") }, "expires_in"),
        (NewKey { life: Some(Duration::from_millis(999)), ..named("x") }, "expires_in"),
        (NewKey { life: Some(Duration::from_hours(2_160) + Duration::from_micros(1)), ..named("x") }, "expires_in"),
        (NewKey { life: Some(Duration::MAX), ..named("x") }, "expires_in"),
        (NewKey { scopes: many, ..named("x") }, "scopes"),
        (scopes(&["chat:write", ""]), "scopes[1]"),
        (scopes(&["chat:writer"]), "scopes[0]"),
        (scopes(&["Admin"]), "scopes[0]"),
    ];
    for (wish, param) in cases {
        let error = server.identity.create_key(&caller, wish).await.unwrap_err();
        assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some(param)));
    }
    server.identity.create_key(&caller, named(&"\u{e9}".repeat(100))).await.expect("characters, not bytes");
}

#[tokio::test]
async fn an_operator_may_keep_guests_from_keys() {
    let database = testkit::database::Database::sqlite();
    let options = Options { guest_api_keys: false, ..Options::default() };
    let server = Server::with(&database, options).await;
    let caller = server.caller().await;
    let error = server.identity.create_key(&caller, named("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Forbidden, "guest_not_allowed"));
}
