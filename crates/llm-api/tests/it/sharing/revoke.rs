use store::CleanUp;

use super::*;

on_both_databases! {
    async fn a_share_is_ended_by_whichever_name(database: Database) {
        let world = World::new(database).await;
        for (path, name) in [
            (format!("{}/", world.path()), "id"),
            (format!("{}/", world.path()), "slug"),
            (format!("/v1/conversations/{}/shares/", world.conversation), "id"),
            ("/v1/shares/".to_owned(), "id"),
            ("/v1/shares/".to_owned(), "slug"),
        ] {
            let share = world.share(json!({})).await;
            world.open(&share).await.expect(200);
            let path = format!("{path}{}", share[name].as_str().unwrap());
            let deleted = world.guest.delete(&path).await.expect(200).json();
            assert_eq!(deleted, json!({"id": share["id"], "object": "share.deleted", "deleted": true}));
            for name in ["id", "slug"] {
                let open = format!("/v1/share/{}", share[name].as_str().unwrap());
                assert_eq!(world.app.anonymous().get(&open).await.error(), (410, "share_revoked".to_owned(), None));
            }
            assert_eq!(world.guest.delete(&path).await.error(), (404, "share_not_found".to_owned(), None), "twice");
        }
    }

    async fn only_ones_own_and_of_this_conversation(database: Database) {
        let world = World::new(database).await;
        let share = world.share(json!({})).await;
        let id = share["id"].as_str().unwrap();
        let stranger = world.app.guest().await;
        for path in [format!("{}/{id}", world.path()), format!("/v1/shares/{id}")] {
            assert_eq!(stranger.delete(&path).await.error(), (404, "share_not_found".to_owned(), None), "{path}");
            assert_eq!(world.app.anonymous().delete(&path).await.error().0, 401);
        }
        for (conversation, status, code) in
            [("conv_0123456789abcdef", 404, "share_not_found"), ("nonsense", 400, "invalid_id")]
        {
            let error = world.guest.delete(&format!("/v1/conversations/{conversation}/share/{id}")).await.error();
            assert_eq!((error.0, &*error.1), (status, code));
        }
        for nothing in ["shr_0123456789abcdef", "0123456789abcdefghijkl", "nonsense"] {
            assert_eq!(world.guest.delete(&format!("/v1/shares/{nothing}")).await.error().1, "share_not_found");
        }
        world.open(&share).await.expect(200);
    }

    async fn what_was_shown_is_removed(database: Database) {
        let world = World::new(database).await;
        let (ended, live) = (world.share(json!({})).await, world.share(json!({})).await);
        world.guest.delete(&format!("/v1/shares/{}", ended["id"].as_str().unwrap())).await.expect(200);
        let read = async |share: &Value| {
            let id = domain::ids::ShareId::parse(share["id"].as_str().unwrap()).unwrap();
            world.app.store.read().await.unwrap().share_snapshot(&id).await.unwrap()
        };
        let mut another = world.app.store.write().await.unwrap();
        assert!(another.lock_clean_up(CleanUp::DeadShares).await.unwrap());
        // SQLite has one writer, and others wait for it.
        if world.app.database.is_postgres() {
            world.app.sharing.forget_dead().await.unwrap();
            assert!(read(&ended).await.is_some(), "another server is at it");
        }
        another.commit().await.unwrap();
        world.app.sharing.forget_dead().await.unwrap();
        assert_eq!(read(&ended).await, None);
        assert!(read(&live).await.is_some());
        world.guest.delete(&format!("/v1/conversations/{}", world.conversation)).await.expect(200);
        world.app.sharing.forget_dead().await.unwrap();
        assert_eq!(read(&live).await, None, "its conversation is deleted");
    }
}
