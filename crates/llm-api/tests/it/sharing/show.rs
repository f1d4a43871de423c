use std::time::Duration;

use super::*;
use crate::support::NOW;

on_both_databases! {
    async fn everybody_with_the_link_reads_the_conversation_and_nothing_private(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let slug = share["slug"].as_str().unwrap();
        let public = world.open(&share).await.expect(200);
        let items = &public.json()["snapshot"]["items"];
        assert_eq!(
            public.json(),
            json!({
                "object": "public_share", "slug": slug, "title": "Why is the sky blue?", "created_at": NOW.seconds(),
                "snapshot": {
                    "title": "Why is the sky blue?", "model_name": "vendor/model-1", "created_at": NOW.seconds(),
                    "items": [
                        {"id": items[0]["id"], "type": "message", "role": "user",
                            "content": [{"type": "text", "text": "Why is the sky blue?"}], "created_at": NOW.seconds()},
                        {"id": items[1]["id"], "type": "message", "role": "assistant",
                            "content": [{"type": "text", "text": "It **scatters** light."}], "created_at": NOW.seconds()},
                    ],
                },
            })
        );
        for path in [
            link(&share),
            format!("/v1/share/{}", share["id"].as_str().unwrap()),
            format!("/v1/public/shares/{slug}"),
            format!("/v1/conversations/share/{slug}"),
        ] {
            assert_eq!(world.app.anonymous().get(&path).await.expect(200).body, public.body, "{path}");
            let page = world.page(&path).await.expect(200).text();
            for private in ["SECRET", world.owner.as_str(), world.conversation.as_str(), "guest-", "MAIN"] {
                assert!(!page.contains(private) && !public.text().contains(private), "{private}");
            }
        }
    }

    async fn what_is_said_later_is_not_part_of_it(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let before = world.open(&share).await.expect(200).body;
        world.say("user", "And at night?").await;
        assert_eq!(world.open(&share).await.expect(200).body, before);
    }

    async fn browsers_get_a_page(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let page = world.page(&link(&share)).await.expect(200);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["x-frame-options"], "DENY");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"));
        let text = page.text();
        assert!(text.contains("<strong>scatters</strong>") && text.contains("Why is the sky blue?"), "{text}");
        assert!(text.contains(&format!("<meta property=\"og:url\" content=\"{}\">", share["share_url"].as_str().unwrap())));
        assert!(!text.contains("<script"));
    }

    async fn nothing_in_a_conversation_runs(database: Database) {
        let world = World::empty(database).await;
        let nasty =
            "</title></style></article><script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))";
        world.say("user", nasty).await;
        world.say("assistant", &format!("```{nasty}\n{nasty}\n```\n\n{nasty}")).await;
        let share = world.share(json!({"title": nasty})).await;
        let page = world.page(&link(&share)).await.expect(200).text();
        for bad in ["<script", "<img", "href=\"javascript", "</title></style>"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
        assert_eq!((page.matches("</style>").count(), page.matches("</article>").count()), (1, 2));
        assert!(page.contains("&lt;script&gt;"));
    }

    async fn what_is_not_there_has_a_code_and_a_page(database: Database) {
        let world = World::new(database).await;
        let brief = world.share(json!({"expires_in": 60})).await;
        let ended = world.share(json!({})).await;
        world.guest.delete(&format!("/v1/shares/{}", ended["id"].as_str().unwrap())).await.expect(200);
        world.app.clock.advance(Duration::from_secs(59));
        world.open(&brief).await.expect(200);
        world.app.clock.advance(Duration::from_secs(1));
        for (path, status, code) in [
            (link(&brief), 410, "share_expired"),
            (link(&ended), 410, "share_revoked"),
            ("/v1/share/0123456789abcdefghijkl".to_owned(), 404, "share_not_found"),
            ("/v1/share/shr_0123456789abcdef".to_owned(), 404, "share_not_found"),
            ("/v1/share/nonsense".to_owned(), 404, "share_not_found"),
            ("/v1/public/shares/nonsense".to_owned(), 404, "share_not_found"),
        ] {
            let error = world.app.anonymous().get(&path).await.error();
            assert_eq!(error, (status, code.to_owned(), None), "{path}");
            let page = world.page(&path).await.expect(status);
            assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
            assert!(page.headers.contains_key("content-security-policy"));
        }
    }

    async fn nothing_is_seen_of_who_may_not_come_in(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let disable = async |since| {
            let mut tx = world.app.store.write().await.unwrap();
            tx.set_disabled(&world.owner, since).await.unwrap();
            tx.commit().await.unwrap();
        };
        disable(Some(world.app.clock.now())).await;
        assert_eq!(world.open(&share).await.error(), (404, "share_not_found".to_owned(), None));
        disable(None).await;
        world.open(&share).await.expect(200);
    }

    async fn readers_are_counted(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        for _ in 0..3 {
            world.open(&share).await.expect(200);
        }
        world.app.clock.advance(Duration::from_secs(5));
        world.page(&link(&share)).await.expect(200);
        world.app.anonymous().call(http::Method::HEAD, &link(&share), None).await.expect(200);
        assert_eq!(world.app.sharing.write_views().await.unwrap(), 4);
        let listed = world.guest.get("/v1/shares").await.expect(200).json();
        assert_eq!(listed["data"][0]["view_count"], 4);
        assert_eq!(listed["data"][0]["last_viewed_at"], world.app.clock.now().seconds());
        assert_eq!(world.app.sharing.write_views().await.unwrap(), 0);
    }
}
