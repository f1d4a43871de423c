use http::{Method, header};

use super::sign_in::{Browser, with_ada};
use crate::support::{App, ISSUER};
use testkit::on_both_databases;

const FILLED: [(&str, &str); 2] = [("name", "ada"), ("password", "correct horse")];

on_both_databases! {
    async fn a_state_that_nobody_began_with_leads_nowhere(database: Database) {
        let app = App::on(database).await;
        let refused = (400, "invalid_state".to_owned(), Some("state".to_owned()));
        for query in ["", "?code=x", "?code=x&state=forged", "?error=access_denied&state=forged", "?state="] {
            let answer = app.anonymous().get(&format!("/auth/callback{query}")).await;
            assert_eq!(answer.error(), refused, "{query}");
            assert!(!answer.headers.contains_key(header::LOCATION));
        }
    }

    async fn what_fails_lands_where_it_began_with_the_reason(database: Database) {
        let app = App::on(database).await;
        for (callback, code) in [("error=access_denied", "invalid_request"), ("code=forged", "token_exchange_failed")] {
            for (target, separator) in [("http://localhost:3000/landing", '?'), ("http://localhost:3000/landing?x=1", '&')]
            {
                let login = app.anonymous().get(&format!("/auth/login?redirect_url={target}")).await.expect(200).json();
                let state = login["state"].as_str().unwrap();
                let answer = app.anonymous().get(&format!("/auth/callback?{callback}&state={state}")).await.expect(302);
                let location = answer.headers[header::LOCATION].to_str().unwrap();
                assert!(location.starts_with(&format!("{target}{separator}error={code}&error_description=")), "{location}");
                assert!(!answer.headers.contains_key(header::SET_COOKIE));
            }
        }
    }

    async fn a_callback_counts_once_and_in_one_browser(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let browser = Browser::begin(&app, "").await;
        let granted = browser.submit(&FILLED).await.expect(303);
        let target = granted.headers[header::LOCATION].to_str().unwrap().strip_prefix(ISSUER).unwrap();
        let _looked = app.anonymous().call(Method::HEAD, target, None).await.expect(200);
        let _landed = browser.follow(&granted).await.expect(302);
        assert_eq!(browser.follow(&granted).await.error().1, "invalid_state");

        let attacker = Browser::begin(&app, "").await;
        let granted = attacker.submit(&FILLED).await.expect(303);
        let target = granted.headers[header::LOCATION].to_str().unwrap().strip_prefix(ISSUER).unwrap();
        let landed = app.anonymous().get(target).await.expect(302);
        let location = landed.headers[header::LOCATION].to_str().unwrap();
        assert!(
            location.contains("?error=token_exchange_failed"),
            "nobody is signed in to a stranger's account: {location}"
        );
        assert!(!location.contains("access_token"));
    }
}
