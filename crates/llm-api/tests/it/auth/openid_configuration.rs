use crate::support::{App, ISSUER};

#[tokio::test]
async fn it_leads_to_the_keys() {
    let app = App::new().await;
    let document = app.anonymous().get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["issuer"], ISSUER);
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(ISSUER).unwrap();
    let _keys = app.anonymous().get(keys).await.expect(200);
}
