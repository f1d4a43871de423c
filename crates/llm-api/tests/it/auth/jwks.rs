use http::header;
use testkit::on_both_databases;

use crate::support::App;

on_both_databases! {
    async fn anybody_may_know_the_public_keys(database: Database) {
        let app = App::on(database).await;
        let answer = app.anonymous().get("/.well-known/jwks.json").await.expect(200);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=300");
        let keys = answer.json()["keys"].clone();
        assert_eq!(keys.as_array().unwrap().len(), 1);
        let key = keys[0].as_object().unwrap();
        let names: Vec<&str> = key.keys().map(String::as_str).collect();
        assert_eq!(names, ["kty", "use", "alg", "kid", "n", "e"], "nothing private");
        assert_eq!((key["kty"].as_str(), key["alg"].as_str()), (Some("RSA"), Some("RS256")));
    }
}
