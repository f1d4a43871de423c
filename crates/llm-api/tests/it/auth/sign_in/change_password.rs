use super::*;
use testkit::on_both_databases;

const NEW: &str = "battery staple";

/// The form to change the password, reached by the sign-in page's link.
async fn reach(app: &App) -> Browser {
    let login = app.anonymous().get("/auth/login").await.expect(200).json();
    let url = login["authorization_url"].as_str().unwrap();
    let html = app.anonymous().get(url.strip_prefix(ISSUER).unwrap()).await.expect(200).text();
    let link = html.split("<a href=\"").find(|part| part.contains("change_password=1")).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    Browser::open(app, &format!("{ISSUER}/auth/{link}")).await
}

on_both_databases! {
    async fn a_person_changes_it_and_is_signed_in_here_alone(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let elsewhere = Browser::begin(&app, "").await;
        let signed_in = elsewhere.submit(&[("name", "ada"), ("password", PASSWORD)]).await.expect(303);
        let (_, elsewhere) = fragment(&elsewhere.follow(&signed_in).await.expect(302));

        let browser = reach(&app).await;
        for (name, password, new, status, words) in [
            ("ada", "wrong horse", NEW, 401, "is not right"),
            ("nobody", PASSWORD, NEW, 401, "is not right"),
            ("ada", PASSWORD, "short", 400, "new_password needs at least 8"),
        ] {
            let filled = [("name", name), ("password", password), ("new_password", new)];
            let answer = browser.submit(&filled).await.expect(status);
            let html = answer.text();
            assert!(html.contains(words) && html.contains("Change the password</h1>"), "{html}");
            assert!(![PASSWORD, NEW, "wrong horse"].iter().any(|password| html.contains(password)), "{html}");
        }
        let _still = app.anonymous().bearer(&elsewhere["access_token"]).get("/auth/me").await.expect(200);

        let filled = [("name", "ada"), ("password", PASSWORD), ("new_password", NEW)];
        let landed = browser.follow(&browser.submit(&filled).await.expect(303)).await.expect(302);
        let (_, tokens) = fragment(&landed);
        let me = app.anonymous().bearer(&tokens["access_token"]).get("/auth/me").await.expect(200).json();
        assert_eq!(me["username"], "ada");
        let out = app.anonymous().bearer(&elsewhere["access_token"]).get("/auth/me").await.error();
        assert_eq!(out.1, "invalid_token");
        let replayed = json!({"refresh_token": elsewhere["refresh_token"]});
        let replayed = app.anonymous().post("/auth/refresh-token", &replayed).await.error();
        assert_eq!(replayed.1, "invalid_refresh_token");
        let again = Browser::begin(&app, "").await;
        let _old = again.submit(&[("name", "ada"), ("password", PASSWORD)]).await.expect(401);
        let _new = again.submit(&[("name", "ada"), ("password", NEW)]).await.expect(303);
    }

    async fn the_form_is_one_browsers_and_guesses_count(database: Database) {
        let app = App::on(database).await;
        with_ada(&app).await;
        let browser = reach(&app).await;
        let filled = [("name", "ada"), ("password", PASSWORD), ("new_password", NEW)];
        let without_cookie = Browser { client: app.anonymous(), fields: browser.fields.clone() };
        assert_eq!(without_cookie.submit(&filled).await.error().0, 400);
        let from_elsewhere = browser.client.header(header::ORIGIN, "https://evil.example");
        let elsewhere = Browser { client: from_elsewhere, fields: browser.fields.clone() };
        assert_eq!(elsewhere.submit(&filled).await.error(), (403, "origin_not_allowed".to_owned(), None));
        let wrong = [("name", "ada"), ("password", "wrong horse"), ("new_password", NEW)];
        for _ in 0..20 {
            let _refused = browser.submit(&wrong).await.expect(401);
        }
        let answer = browser.submit(&filled).await.expect(429);
        assert!(answer.text().contains("too many tries"), "{}", answer.text());
    }
}
