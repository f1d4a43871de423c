//! What a credential is good for.

use std::time::Duration;

use domain::Role;
use identity::{AccountWish, Identity};
use testkit::on_both_databases;

use crate::support::{NOW, Server};

on_both_databases! {
    async fn ones_own_are_told(database: Database) {
        let server = Server::new(&database).await;
        let guest = server.guest().await;
        let caller = server.bearer(guest.access_token.expose()).await.unwrap();
        let (row, key) = server.key(&caller, &["keys:manage"]).await;
        let told = server.identity.introspect(&caller, guest.access_token.expose()).await.unwrap().unwrap();
        assert_eq!((told.principal, told.expires_at), (caller.clone(), NOW + Duration::from_hours(1)));
        let told = server.identity.introspect(&caller, key.expose()).await.unwrap().unwrap();
        assert_eq!((&told.principal.user_id, told.expires_at), (&caller.user_id, row.expires_at));
        assert_eq!(told.principal.scopes, ["keys:manage"]);
        server.identity.end_session(guest.access_token.expose()).await.unwrap();
        assert_eq!(server.identity.introspect(&caller, guest.access_token.expose()).await.unwrap(), None);
    }

    async fn anothers_are_told_to_administrators_only(database: Database) {
        let server = Server::new(&database).await;
        let (mine, other) = (server.caller().await, server.guest().await);
        for unknown in [other.access_token.expose(), "garbage", "a.b.c", "sk_live_0", ""] {
            assert_eq!(server.identity.introspect(&mine, unknown).await.unwrap(), None, "{unknown}");
        }
        let wish = AccountWish { email: "root@example.org".to_owned(), ..AccountWish::default() };
        let admin = server.identity.create_account(wish, vec![Role::User, Role::Admin]).await.unwrap();
        let admin = Identity::act_as(admin);
        let told = server.identity.introspect(&admin, other.access_token.expose()).await.unwrap().unwrap();
        assert_eq!(told.principal.user_id, other.user.id);
        for n in 0..=600 {
            let unknown = format!("sk_live_{n:048x}");
            assert_eq!(server.identity.introspect(&admin, &unknown).await.unwrap(), None, "{n}: he asks for others");
        }
        let (_, key) = server.key(&admin, &["keys:manage"]).await;
        let by_key = server.bearer(key.expose()).await.unwrap();
        let told = server.identity.introspect(&by_key, other.access_token.expose()).await.unwrap();
        assert_eq!(told, None, "a key that may not administer learns nothing");
        let error = server.identity.introspect(&mine, other.refresh_token.expose()).await.unwrap_err();
        assert_eq!(error.param_name(), Some("token"));
    }
}
