use testkit::on_both_databases;

use crate::support::{App, ISSUER};

on_both_databases! {
    async fn it_leads_to_the_keys(database: Database) {
        let app = App::on(database).await;
        let document = app.anonymous().get("/.well-known/openid-configuration").await.expect(200).json();
        assert_eq!(document["issuer"], ISSUER);
        let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(ISSUER).unwrap();
        let _keys = app.anonymous().get(keys).await.expect(200);
    }

    async fn it_names_nothing_that_is_not_there(database: Database) {
        let app = App::on(database).await;
        let document = app.anonymous().get("/.well-known/openid-configuration").await.expect(200).json();
        for (name, value) in document.as_object().unwrap() {
            let Some(path) = value.as_str().and_then(|text| text.strip_prefix(ISSUER)) else { continue };
            assert!(!name.ends_with("_endpoint"), "{name}: the sign-in has no clients but this server");
            if name != "issuer" {
                let _there = app.anonymous().get(path).await.expect(200);
            }
        }
        assert_eq!(document["response_types_supported"], serde_json::json!([]));
    }
}
