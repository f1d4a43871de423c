//! What all answers on open addresses have.

use http::{HeaderName, Method, header};

use super::*;

on_both_databases! {
    async fn everybody_may_read_and_nobody_may_keep(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let gone = "/v1/share/0123456789abcdefghijkl".to_owned();
        for path in [link(&share), gone] {
            for accept in ["*/*", "text/html"] {
                for origin in [None, Some("https://any.example"), Some("http://localhost:3000")] {
                    let mut client = world.app.anonymous().header(header::ACCEPT, accept);
                    if let Some(origin) = origin {
                        client = client.header(header::ORIGIN, origin);
                    }
                    let headers = client.get(&path).await.headers;
                    let allowed = headers[header::ACCESS_CONTROL_ALLOW_ORIGIN].to_str().unwrap();
                    assert!(allowed == "*" || Some(allowed) == origin, "{allowed}");
                    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
                    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
                    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
                    assert_eq!(headers[HeaderName::from_static("x-robots-tag")], "noindex, nofollow");
                    assert!(!headers.contains_key(header::SET_COOKIE));
                    let vary: Vec<_> = headers.get_all(header::VARY).iter().collect();
                    assert!(vary.contains(&&http::HeaderValue::from_static("accept")), "{vary:?}");
                }
            }
        }
    }

    async fn what_has_not_changed_is_not_sent_again(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let mut tags = Vec::new();
        for accept in ["application/json", "text/html"] {
            let client = world.app.anonymous().header(header::ACCEPT, accept);
            let first = client.get(&link(&share)).await.expect(200);
            let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
            let again = client.header(header::IF_NONE_MATCH, &tag).get(&link(&share)).await.expect(304);
            assert!(again.body.is_empty());
            assert_eq!(again.headers[header::ETAG], first.headers[header::ETAG]);
            tags.push(tag);
        }
        assert_ne!(tags[0], tags[1], "a page is not the JSON");
        let client = world.app.anonymous().header(header::IF_NONE_MATCH, &tags[1]);
        client.get(&link(&share)).await.expect(200);
        // Once it is ended, a tag opens nothing.
        world.guest.delete(&format!("/v1/shares/{}", share["id"].as_str().unwrap())).await.expect(200);
        let client = world.app.anonymous().header(header::IF_NONE_MATCH, "*");
        assert_eq!(client.get(&link(&share)).await.error().0, 410);
    }

    async fn heads_are_given_without_bodies(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        for (accept, kind) in [("*/*", "application/json"), ("text/html", "text/html; charset=utf-8")] {
            let client = world.app.anonymous().header(header::ACCEPT, accept);
            let head = client.call(Method::HEAD, &link(&share), None).await.expect(200);
            assert!(head.body.is_empty());
            assert_eq!(head.headers[header::CONTENT_TYPE], kind);
            assert_ne!(head.headers.get(header::CONTENT_LENGTH), Some(&http::HeaderValue::from_static("0")));
            assert_eq!(head.headers[header::ETAG], client.get(&link(&share)).await.headers[header::ETAG]);
        }
        world.guest.delete(&format!("/v1/shares/{}", share["id"].as_str().unwrap())).await.expect(200);
        world.app.anonymous().call(Method::HEAD, &link(&share), None).await.expect(410);
    }
}
