use std::time::Duration;

use super::*;

fn ids(list: &Value) -> Vec<&Value> {
    list["data"].as_array().unwrap().iter().map(|share| &share["id"]).collect()
}

on_both_databases! {
    async fn what_one_shares_is_listed(database: Database) {
        let world = World::new(database).await;
        let mut shares = Vec::new();
        for _ in 0..3 {
            shares.push(world.share(json!({})).await);
        }
        let of_conversation = format!("/v1/conversations/{}/shares", world.conversation);
        for path in ["/v1/shares", &of_conversation] {
            let page = world.guest.get(&format!("{path}?limit=2")).await.expect(200).json();
            assert_eq!(ids(&page), [&shares[2]["id"], &shares[1]["id"]], "{path}");
            assert_eq!((&page["data"][0], &page["has_more"]), (&shares[2], &json!(true)));
            let after = page["next_after"].as_str().unwrap();
            let next = world.guest.get(&format!("{path}?limit=2&after={after}")).await.expect(200).json();
            assert_eq!(ids(&next), [&shares[0]["id"]]);
            let up = world.guest.get(&format!("{path}?order=asc&limit=1")).await.expect(200).json();
            assert_eq!(ids(&up), [&shares[0]["id"]]);
            let wrong = world.guest.get(&format!("{path}?after=shr_0123456789abcdef")).await.error();
            assert_eq!(wrong, (400, "invalid_cursor".to_owned(), Some("after".to_owned())));
        }
        let stranger = world.app.guest().await;
        assert_eq!(stranger.get("/v1/shares").await.expect(200).json()["data"], json!([]));
        assert_eq!(stranger.get(&of_conversation).await.error().1, "conversation_not_found");
    }

    async fn what_is_over_is_shown_on_demand(database: Database) {
        let world = World::new(database).await;
        let brief = world.share(json!({"expires_in": 60})).await;
        let revoked = world.share(json!({})).await;
        let live = world.share(json!({})).await;
        world.guest.delete(&format!("/v1/shares/{}", revoked["id"].as_str().unwrap())).await.expect(200);
        world.app.clock.advance(Duration::from_mins(1));
        assert_eq!(ids(&world.guest.get("/v1/shares").await.expect(200).json()), [&live["id"]]);
        let all = world.guest.get("/v1/shares?include_revoked=true").await.expect(200).json();
        assert_eq!(ids(&all), [&live["id"], &revoked["id"], &brief["id"]]);
        assert!(all["data"][1]["revoked_at"].is_i64());
    }

    async fn shares_go_with_their_conversation(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let mut tx = world.app.store.write().await.unwrap();
        tx.delete_all_conversations(&world.owner, world.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let all = world.guest.get("/v1/shares?include_revoked=true").await.expect(200).json();
        assert_eq!(all["data"], json!([]));
        assert_eq!(world.open(&share).await.error(), (410, "share_revoked".to_owned(), None));
        let id = share["id"].as_str().unwrap();
        assert_eq!(world.guest.delete(&format!("/v1/shares/{id}")).await.error().0, 404);
    }
}
