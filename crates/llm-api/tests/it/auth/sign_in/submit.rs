use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn a_person_signs_in_without_scripts(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let browser = Browser::begin(&app, "?redirect_url=http://localhost:3000/landing?x=1").await;
        let answer = browser.submit(&[("name", "ADA"), ("password", PASSWORD)]).await.expect(303);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let landed = browser.follow(&answer).await.expect(302);
        let (target, tokens) = fragment(&landed);
        assert_eq!(target, "http://localhost:3000/landing?x=1");
        assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_str()), ("Bearer", "3600"));
        let me = app.anonymous().bearer(&tokens["access_token"]).get("/auth/me").await.expect(200).json();
        assert_eq!((&me["username"], &me["is_guest"]), (&json!("ada"), &json!(false)));
        let cookie = landed.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with(&format!("refresh_token={};", tokens["refresh_token"])), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let renewed = app.anonymous().header(header::COOKIE, cookie.split(';').next().unwrap());
        let _tokens = renewed.call(Method::POST, "/auth/refresh-token", None).await.expect(200);
    }

    async fn a_person_makes_an_account(database: Database) {
        let app = App::on(database).await;
        let login = app.anonymous().get("/auth/login").await.expect(200).json();
        let url = format!("{}&register=1", login["authorization_url"].as_str().unwrap());
        let browser = Browser::open(&app, &url).await;
        assert_eq!(browser.fields["register"], "1");
        for (filled, status, words) in [
            ([("email", "eve"), ("username", "eve"), ("password", PASSWORD)], 400, "no address"),
            ([("email", "eve@example.org"), ("username", "e"), ("password", PASSWORD)], 400, "3 to 64"),
            ([("email", "eve@example.org"), ("username", ""), ("password", "short")], 400, "at least 8"),
        ] {
            let answer = browser.submit(&filled).await.expect(status);
            assert!(answer.text().contains(words) && answer.text().contains("role=\"alert\""), "{}", answer.text());
            assert!(answer.text().contains(&format!("value=\"{}\"", filled[0].1)), "what was typed is there again");
            assert!(!answer.text().contains(PASSWORD));
        }
        let answer = browser.submit(&[("email", "eve@example.org"), ("username", ""), ("password", PASSWORD)]).await;
        let landed = browser.follow(&answer.expect(303)).await.expect(302);
        let (target, tokens) = fragment(&landed);
        assert_eq!(target, format!("{ISSUER}/auth/done"));
        let me = app.anonymous().bearer(&tokens["access_token"]).get("/v1/users/me").await.expect(200).json();
        assert_eq!((&me["roles"], &me["email_verified"]), (&json!(["user"]), &json!(false)));
        let page = app.anonymous().get("/auth/done").await.expect(200);
        assert!(page.text().contains("can be closed"));

        let browser = Browser::open(&app, &login_again(&app).await).await;
        let taken = browser.submit(&[("email", "EVE@example.org"), ("password", PASSWORD)]).await.expect(409);
        assert!(taken.text().contains("Another account has this address"));
    }
}

async fn login_again(app: &App) -> String {
    let login = app.anonymous().get("/auth/login").await.expect(200).json();
    format!("{}&register=1", login["authorization_url"].as_str().unwrap())
}

on_both_databases! {
    async fn what_is_wrong_is_said_on_the_page_and_the_password_typed_anew(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let browser = Browser::begin(&app, "").await;
        let evil = "\"><script>alert(1)</script>";
        let wrong = [("ada", "wrong horse"), ("nobody", PASSWORD), (evil, "x"), ("", "")];
        let mut texts = Vec::new();
        for (name, password) in wrong {
            let answer = browser.submit(&[("name", name), ("password", password)]).await.expect(401);
            assert!(answer.text().contains("is not right") && !answer.text().contains("<script"), "{}", answer.text());
            assert!(!answer.text().contains("wrong horse"));
            texts.push(answer.text().lines().filter(|line| line.contains("alert\"")).collect::<String>());
        }
        assert!(texts.iter().all(|text| *text == texts[0]), "nobody learns which accounts there are: {texts:?}");
        let _in = browser.submit(&[("name", "ada"), ("password", PASSWORD)]).await.expect(303);
    }

    async fn who_guesses_is_told_to_wait(database: Database) {
        let app = App::on(database).await;
        let browser = Browser::begin(&app, "").await;
        let guess = async || browser.submit(&[("name", "ada"), ("password", "wrong horse")]).await;
        for _ in 0..20 {
            let _refused = guess().await.expect(401);
        }
        let answer = guess().await.expect(429);
        assert_eq!(answer.headers[header::RETRY_AFTER], "180");
        assert!(answer.text().contains("too many tries"), "{}", answer.text());
    }

    async fn a_form_is_one_browsers(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let browser = Browser::begin(&app, "").await;
        let filled = [("name", "ada"), ("password", PASSWORD)];
        let without_cookie = Browser { client: app.anonymous(), fields: browser.fields.clone() };
        assert_eq!(without_cookie.submit(&filled).await.error().0, 400);
        let other = Browser::begin(&app, "").await;
        let forged = Browser { client: other.client.clone(), fields: browser.fields.clone() };
        assert_eq!(forged.submit(&filled).await.error().0, 400);
        let mut fields = browser.fields.clone();
        fields.remove("browser");
        let bare = Browser { client: browser.client.clone(), fields };
        assert_eq!(bare.submit(&filled).await.error().0, 400);
        let from_elsewhere = browser.client.header(header::ORIGIN, "https://evil.example");
        let elsewhere = Browser { client: from_elsewhere, fields: browser.fields.clone() };
        assert_eq!(elsewhere.submit(&filled).await.error(), (403, "origin_not_allowed".to_owned(), None));
        let cross = browser.client.header(HeaderName::from_static("sec-fetch-site"), "cross-site");
        let cross = Browser { client: cross, fields: browser.fields.clone() };
        assert_eq!(cross.submit(&filled).await.error().0, 403);
        let own = browser.client.header(header::ORIGIN, ISSUER);
        let own = Browser { client: own, fields: browser.fields.clone() };
        let _in = own.submit(&filled).await.expect(303);
    }

    async fn an_operator_may_want_no_new_accounts(database: Database) {
        let app = App::with(database, Options { registration: false, ..Options::default() }).await;
        let browser = Browser::open(&app, &login_again(&app).await).await;
        assert!(!browser.fields.contains_key("register"), "the form to sign in is shown instead");
        let filled = [("register", "1"), ("email", "eve@example.org"), ("password", PASSWORD)];
        let answer = browser.submit(&filled).await.expect(403);
        assert!(answer.text().contains("made by the administrator"));
    }
}
