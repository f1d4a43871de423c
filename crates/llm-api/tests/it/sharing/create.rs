use std::time::Duration;

use super::*;

use crate::support::{ISSUER, NOW};

on_both_databases! {
    async fn a_conversation_is_shared(database: Database) {
        let world = World::new(database).await;
        let share = world.guest.post(&world.path(), &json!({})).await.expect(201).json();
        let (id, slug) = (share["id"].as_str().unwrap(), share["slug"].as_str().unwrap());
        assert!(id.starts_with("shr_") && slug.len() == 22, "{share}");
        let url = format!("{ISSUER}/v1/share/{slug}");
        assert_eq!(
            share,
            json!({
                "id": id, "share_id": id, "object": "share", "slug": slug, "share_url": url, "url": url,
                "title": "Why is the sky blue?", "conversation_id": world.conversation.as_str(), "scope": "conversation",
                "item_id": null, "visibility": "unlisted", "read_only": true, "snapshot_version": 1,
                "share_options": {"include_images": false, "include_context_messages": false}, "view_count": 0,
                "last_viewed_at": null, "expires_at": null, "revoked_at": null, "created_at": NOW.seconds(),
                "updated_at": NOW.seconds(),
            })
        );
        // A body is not needed.
        world.guest.call(http::Method::POST, &world.path(), None).await.expect(201);
    }

    async fn a_key_shares_what_it_may_read(database: Database) {
        let world = World::new(database).await;
        let answer = world.say("assistant", "Because of the air.").await;
        let item = format!("/v1/conversations/{}/items/{answer}/share", world.conversation);
        for (scopes, status) in [(json!(["shares:write"]), 403), (json!(["shares:write", "conversations:read"]), 201)] {
            let wish = json!({"name": "k", "scopes": scopes});
            let made = world.guest.post("/auth/api-keys", &wish).await.expect(201).json();
            let by_key = world.app.anonymous().api_key(made["key"].as_str().unwrap());
            for path in [&world.path(), &item] {
                let shared = by_key.post(path, &json!({})).await;
                assert_eq!(shared.status.as_u16(), status, "{scopes} {path}");
                if status == 403 {
                    assert_eq!(shared.error().1, "insufficient_scope");
                }
            }
        }
    }

    async fn wishes_are_followed(database: Database) {
        let world = World::new(database).await;
        let wish = json!({"title": " My\n sky ", "expires_in": 60, "include_images": true, "read_only": true,
            "branch": "MAIN", "scope": "conversation", "item_id": "whatever"});
        let share = world.share(wish).await;
        assert_eq!((&share["title"], &share["expires_at"]), (&json!("My sky"), &json!(NOW.seconds() + 60)));
        assert_eq!(share["share_options"]["include_images"], true);
    }

    async fn one_with_too_many_items_is_not_shared_in_part(database: Database) {
        let world = World::new(database).await;
        let body = json!({"content": [{"type": "text", "text": "x"}]});
        world.append((0..20_000).map(|_| world.item("completed", "message", Some("user"), &body)).collect()).await;
        let error = world.guest.post(&world.path(), &json!({})).await.error();
        assert_eq!(error, (413, "snapshot_too_large".to_owned(), None));
    }

    async fn what_cannot_be_shared_is_refused(database: Database) {
        let world = World::new(database).await;
        for (body, code, param) in [
            (json!({"scope": "all"}), "invalid_parameter", "scope"),
            (json!({"scope": "item"}), "missing_parameter", "item_id"),
            (json!({"read_only": false}), "invalid_parameter", "read_only"),
            (json!({"expires_in": 0}), "invalid_parameter", "expires_in"),
            (json!({"expires_in": -5}), "invalid_parameter", "expires_in"),
            (json!({"expires_in": i64::MAX}), "invalid_parameter", "expires_in"),
            (json!({"expires_in": "1h"}), "invalid_parameter", "expires_in"),
            (json!({"title": 1}), "invalid_parameter", "title"),
            (json!({"title": "x".repeat(257)}), "invalid_parameter", "title"),
        ] {
            let error = world.guest.post(&world.path(), &body).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{body}");
        }
        let missing = world.guest.post(&world.path(), &json!({"branch": "NOWHERE"})).await.error();
        assert_eq!(missing, (404, "branch_not_found".to_owned(), Some("branch".to_owned())));
        let missing = world.guest.post(&format!("{}?branch=NOWHERE", world.path()), &json!({})).await.error();
        assert_eq!(missing.1, "branch_not_found");
        for (conversation, status, code) in [
            ("conv_0123456789abcdef", 404, "conversation_not_found"),
            ("nonsense", 400, "invalid_id"),
            ("TEMPORARY_CHAT_ID", 400, "temporary_conversation"),
        ] {
            let error = world.guest.post(&format!("/v1/conversations/{conversation}/share"), &json!({})).await.error();
            assert_eq!((error.0, &*error.1), (status, code), "{conversation}");
        }
        let stranger = world.app.guest().await.post(&world.path(), &json!({})).await.error();
        assert_eq!(stranger.1, "conversation_not_found");
        assert_eq!(world.app.anonymous().post(&world.path(), &json!({})).await.error().0, 401);
    }

    async fn there_must_be_something_to_read(database: Database) {
        let world = World::empty(database).await;
        for role in ["system", "user"] {
            let answer = world.guest.post(&world.path(), &json!({})).await;
            assert_eq!(answer.error().1, "not_enough_items");
            assert!(answer.text().contains("2 items"));
            world.say(role, "x").await;
        }
        assert_eq!(world.guest.post(&world.path(), &json!({})).await.error().0, 400, "one of the two is private");
        world.say("assistant", "y").await;
        world.share(json!({})).await;
    }

    async fn private_conversations_stay_private(database: Database) {
        let world = World::new(database).await;
        let mut tx = world.app.store.write().await.unwrap();
        let mut conversation = tx.conversation(&world.owner, &world.conversation).await.unwrap().unwrap();
        conversation.is_private = true;
        tx.update_conversation(&conversation).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(world.guest.post(&world.path(), &json!({})).await.error().1, "temporary_conversation");
    }

    async fn what_is_too_large_is_refused(database: Database) {
        let world = World::new(database).await;
        for _ in 0..11 {
            world.say("user", &"x".repeat(1024 * 1024)).await;
        }
        assert_eq!(world.guest.post(&world.path(), &json!({})).await.error(), (413, "snapshot_too_large".to_owned(), None));
    }

    async fn shares_stand_side_by_side_until_they_are_replaced(database: Database) {
        let world = World::new(database).await;
        let first = world.share(json!({})).await;
        let second = world.share(json!({})).await;
        for share in [&first, &second] {
            world.open(share).await.expect(200);
        }
        let third = world.share(json!({"replace": true})).await;
        for share in [&first, &second] {
            assert_eq!(world.open(share).await.error(), (410, "share_revoked".to_owned(), None));
        }
        world.open(&third).await.expect(200);
    }

    async fn there_are_fifty_at_most(database: Database) {
        let world = World::new(database).await;
        let first = world.share(json!({"expires_in": 60})).await;
        for _ in 1..50 {
            world.share(json!({})).await;
        }
        assert_eq!(world.guest.post(&world.path(), &json!({})).await.error().1, "share_limit_reached");
        // What has ended does not count.
        world.app.clock.advance(Duration::from_mins(1));
        let fresh = world.share(json!({})).await;
        assert_eq!(world.guest.post(&world.path(), &json!({})).await.error().0, 400);
        world.guest.delete(&format!("/v1/shares/{}", fresh["id"].as_str().unwrap())).await.expect(200);
        world.share(json!({})).await;
        world.share(json!({"replace": true})).await;
        assert_eq!(world.open(&first).await.error().0, 410);
    }
}

#[tokio::test]
async fn an_operator_can_switch_it_off() {
    let world = World::on(App::without_sharing().await).await;
    world.say("user", "x").await;
    world.say("assistant", "y").await;
    assert_eq!(world.guest.post(&world.path(), &json!({})).await.error(), (403, "sharing_disabled".to_owned(), None));
    let error = world.app.anonymous().get("/v1/share/0123456789abcdefghijkl").await.error();
    assert_eq!(error, (403, "sharing_disabled".to_owned(), None));
    world.guest.get("/v1/shares").await.expect(200);
}
