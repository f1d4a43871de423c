//! Sign-ins are renewed and ended.

use std::time::Duration;

use domain::{Kind, Secret};
use futures_util::future::join_all;
use identity::{AccountWish, Options, SignIn};
use testkit::on_both_databases;
use tokio_util::sync::CancellationToken;

use crate::support::{NOW, Server};

/// Longer than tabs of one browser may be apart.
const LATE: Duration = Duration::from_secs(11);

async fn renew(server: &Server, token: &Secret) -> SignIn {
    server.identity.refresh(token.expose()).await.unwrap()
}

async fn must_be_refused(server: &Server, token: &Secret) {
    let error = server.identity.refresh(token.expose()).await.expect_err("refused");
    assert_eq!((error.code(), error.kind()), ("invalid_refresh_token", Kind::Unauthenticated));
}

/// Uses an access token, and lets that be noted.
async fn work_with(server: &Server, sign_in: &SignIn) {
    server.bearer(sign_in.access_token.expose()).await.unwrap();
    server.settle().await;
}

async fn must_be_over(server: &Server, sign_in: &SignIn) {
    assert_eq!(server.refusal(sign_in.access_token.expose()).await, "invalid_token");
    must_be_refused(server, &sign_in.refresh_token).await;
}

on_both_databases! {
    async fn a_renewed_sign_in_is_the_same_user_for_longer(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        server.clock.advance(Duration::from_hours(24 * 29));
        let second = renew(&server, &first.refresh_token).await;
        assert_eq!(second.user, first.user);
        assert_ne!(second.refresh_token.expose(), first.refresh_token.expose());
        assert_eq!(second.expires_in, 3_600);
        assert_eq!(second.expires_at.seconds(), server.clock.now().seconds() + 3_600);
        server.clock.advance(Duration::from_hours(24 * 29));
        let third = renew(&server, &second.refresh_token).await;
        let caller = server.bearer(third.access_token.expose()).await.unwrap();
        assert_eq!(caller.user_id, first.user.id);
    }

    async fn a_refresh_token_lapses(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        server.clock.advance(Duration::from_hours(24 * 30));
        must_be_refused(&server, &first.refresh_token).await;
        assert_eq!(server.identity.end_session(first.refresh_token.expose()).await.unwrap_err().code(), "invalid_refresh_token");
    }

    async fn what_is_no_refresh_token_is_refused(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let good = guest.refresh_token.expose();
        let upper = good.to_uppercase();
        let bad = ["", "rt_", "rt_'; DROP TABLE users; --", guest.access_token.expose(), &good[..66], &upper];
        for text in bad {
            must_be_refused(&server, &Secret::new(text)).await;
        }
        must_be_refused(&server, &Secret::new(format!("rt_{}", "0".repeat(64)))).await;
        must_be_refused(&server, &Secret::new(good.repeat(1_000))).await;
        renew(&server, &guest.refresh_token).await;
    }

    async fn a_stolen_token_ends_the_session_for_both(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let second = renew(&server, &first.refresh_token).await;
        let third = renew(&server, &second.refresh_token).await;
        server.bearer(third.access_token.expose()).await.unwrap();
        // At once: whoever has the third has no need of the first.
        must_be_refused(&server, &first.refresh_token).await;
        must_be_over(&server, &third).await;
        must_be_over(&server, &second).await;
    }

    async fn a_thief_is_found_out_by_the_use_of_an_access_token(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let second = renew(&server, &first.refresh_token).await;
        work_with(&server, &second).await;
        server.clock.advance(LATE);
        must_be_refused(&server, &first.refresh_token).await;
        must_be_over(&server, &second).await;
    }

    async fn another_sessions_theft_is_not_ours(database: Database) {
        let server = Server::new(&database).await;
        let (robbed, other) = (server.guest().await, server.guest().await);
        let second = renew(&server, &robbed.refresh_token).await;
        renew(&server, &second.refresh_token).await;
        must_be_refused(&server, &robbed.refresh_token).await;
        server.bearer(other.access_token.expose()).await.unwrap();
        renew(&server, &other.refresh_token).await;
    }

    async fn another_tab_may_be_a_moment_late(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let one = renew(&server, &first.refresh_token).await;
        work_with(&server, &one).await;
        server.clock.advance(Duration::from_secs(9));
        let two = renew(&server, &first.refresh_token).await;
        server.clock.advance(Duration::from_secs(3));
        for tab in [&one, &two] {
            server.bearer(tab.access_token.expose()).await.expect("both go on working");
        }
        // But there is one token to go on with.
        must_be_refused(&server, &one.refresh_token).await;
        renew(&server, &two.refresh_token).await;
    }

    async fn a_superseded_token_is_a_thiefs_when_the_tabs_are_long_done(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        // The thief is as fast as a tab, and is given the token to go on with.
        let victim = renew(&server, &first.refresh_token).await;
        let thief = renew(&server, &first.refresh_token).await;
        must_be_refused(&server, &victim.refresh_token).await;
        let thief = renew(&server, &thief.refresh_token).await;
        server.clock.advance(LATE);
        must_be_refused(&server, &victim.refresh_token).await;
        must_be_over(&server, &thief).await;
    }

    async fn an_account_signs_in_again_some_day(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let wish = AccountWish { email: "ada@example.org".to_owned(), ..AccountWish::default() };
        let mut sign_in = server.identity.upgrade(&caller, wish).await.unwrap();
        let end = NOW + Duration::from_hours(24 * 90);
        for _ in 0..3 {
            server.clock.advance(Duration::from_hours(24 * 29));
            sign_in = renew(&server, &sign_in.refresh_token).await;
        }
        assert_eq!(sign_in.session_expires_at, end, "after 87 days there are three left");
        server.clock.advance(Duration::from_mins(3 * 24 * 60 - 1));
        sign_in = renew(&server, &sign_in.refresh_token).await;
        assert_eq!((sign_in.session_expires_at, sign_in.expires_in), (end, 60));
        server.clock.advance(Duration::from_mins(1));
        must_be_refused(&server, &sign_in.refresh_token).await;
        assert_eq!(server.refusal(sign_in.access_token.expose()).await, "token_expired");
    }

    async fn a_guest_who_cannot_sign_in_again_need_not(database: Database) {
        let server = Server::new(&database).await;
        let mut guest = server.guest().await;
        for _ in 0..6 {
            server.clock.advance(Duration::from_hours(24 * 29));
            guest = renew(&server, &guest.refresh_token).await;
        }
        server.bearer(guest.access_token.expose()).await.unwrap();
    }

    async fn a_lost_answer_is_given_again(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let lost = renew(&server, &first.refresh_token).await;
        server.clock.advance(Duration::from_hours(5));
        let second = renew(&server, &first.refresh_token).await;
        must_be_refused(&server, &lost.refresh_token).await;
        renew(&server, &second.refresh_token).await;
    }

    async fn the_pair_of_a_lost_answer_is_taken_back_whole(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let lost = renew(&server, &first.refresh_token).await;
        server.clock.advance(LATE);
        let second = renew(&server, &first.refresh_token).await;
        must_be_over(&server, &lost).await;
        server.bearer(second.access_token.expose()).await.unwrap();
    }

    async fn the_first_access_token_is_no_successors(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        work_with(&server, &first).await;
        let _lost = renew(&server, &first.refresh_token).await;
        server.clock.advance(LATE);
        renew(&server, &first.refresh_token).await;
        assert_eq!(database.number("SELECT COUNT(*) FROM refresh_tokens WHERE access_used_at IS NOT NULL").await, 0);
    }

    async fn a_race_leaves_one_to_go_on_with(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let racers = (0..12).map(|_| server.identity.refresh(first.refresh_token.expose()));
        let won: Vec<SignIn> = join_all(racers).await.into_iter().flatten().collect();
        assert!(!won.is_empty());
        let mut live = 0;
        for sign_in in &won {
            live += u32::from(server.identity.refresh(sign_in.refresh_token.expose()).await.is_ok());
        }
        assert_eq!(live, 1, "of {}", won.len());
    }

    async fn nobody_gets_successors_without_end(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let mut given = 0;
        while server.identity.refresh(first.refresh_token.expose()).await.is_ok() {
            given += 1;
            assert!(given <= 100, "there is no end");
        }
        assert!(given >= 12, "tabs are not thieves: {given}");
        must_be_over(&server, &first).await;
    }

    async fn leaving_ends_the_session_and_no_other(database: Database) {
        let server = Server::new(&database).await;
        for by_access_token in [true, false] {
            let (leaving, staying) = (server.guest().await, server.guest().await);
            server.bearer(leaving.access_token.expose()).await.unwrap();
            let credential = if by_access_token { &leaving.access_token } else { &leaving.refresh_token };
            server.identity.end_session(credential.expose()).await.unwrap();
            must_be_over(&server, &leaving).await;
            server.bearer(staying.access_token.expose()).await.unwrap();
            server.identity.end_session(credential.expose()).await.expect("leaving twice is no error");
        }
    }

    async fn an_old_refresh_token_lets_leave_too(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        let second = renew(&server, &first.refresh_token).await;
        server.identity.end_session(first.refresh_token.expose()).await.unwrap();
        must_be_over(&server, &second).await;
    }

    async fn only_who_is_signed_in_can_leave(database: Database) {
        let server = Server::new(&database).await;
        let caller = server.caller().await;
        let (_, key) = server.key(&caller, &[]).await;
        let code = async |text: &str| {
            let error = server.identity.end_session(text).await.unwrap_err();
            (error.kind(), error.code().to_owned())
        };
        let refused = |code: &str| (Kind::Unauthenticated, code.to_owned());
        assert_eq!(code("garbage").await, refused("invalid_token"));
        assert_eq!(code("a.b.c").await, refused("invalid_token"));
        assert_eq!(code("rt_garbage").await, refused("invalid_refresh_token"));
        assert_eq!(code("sk_garbage").await, refused("invalid_api_key"));
        assert_eq!(code("sk_\u{e9}").await, refused("invalid_api_key"));
        assert_eq!(code(key.expose()).await, (Kind::Invalid, "invalid_request".to_owned()));
        let guest = server.guest().await;
        server.clock.advance(Duration::from_hours(1));
        assert_eq!(code(guest.access_token.expose()).await, refused("token_expired"));
        server.identity.end_session(guest.refresh_token.expose()).await.expect("the refresh token still proves it");
    }

    async fn other_servers_refuse_within_two_seconds(database: Database) {
        let one = Server::new(&database).await;
        let two = one.peer(&database).await;
        let first = one.guest().await;
        let renewed = renew(&two, &first.refresh_token).await;
        two.bearer(renewed.access_token.expose()).await.unwrap();
        one.identity.end_session(renewed.access_token.expose()).await.unwrap();
        two.clock.advance(Duration::from_secs(2));
        must_be_over(&two, &renewed).await;
    }

    async fn a_disabled_user_renews_nothing(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        database.execute("UPDATE users SET disabled_at = 1").await;
        must_be_refused(&server, &first.refresh_token).await;
    }

    async fn lapsed_tokens_are_forgotten_and_the_session_goes_on(database: Database) {
        let server = Server::new(&database).await;
        let first = server.guest().await;
        server.clock.advance(Duration::from_hours(24 * 29));
        let second = renew(&server, &first.refresh_token).await;
        server.clock.advance(Duration::from_hours(24 * 2));
        let stop = CancellationToken::new();
        let cleaned = async {
            while database.number("SELECT COUNT(*) FROM refresh_tokens").await > 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(server.identity.run(stop.clone()), cleaned) };
        tokio::time::timeout(Duration::from_secs(30), both).await.expect("the first is forgotten");
        renew(&server, &second.refresh_token).await;
    }
}

#[tokio::test]
async fn an_operator_says_how_long_a_sign_in_lasts() {
    let database = testkit::database::Database::sqlite();
    let options = Options { access_token_seconds: 60, refresh_token_seconds: 120, ..Options::default() };
    let server = Server::with(&database, options).await;
    let first = server.guest().await;
    assert_eq!(first.session_expires_at, NOW + Duration::from_mins(2));
    server.clock.advance(Duration::from_secs(119));
    let second = renew(&server, &first.refresh_token).await;
    server.clock.advance(Duration::from_mins(2));
    must_be_refused(&server, &second.refresh_token).await;
}
