//! F10: who chose the URL decides the rules.

use http::Request;
use http_body_util::BodyExt;
use outbound::{Body, Error, Trust};

use crate::support::{Names, Server, allowing, client, document, strict};

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn f10_an_administrator_s_server_may_be_anywhere_and_a_user_s_may_not() {
    let server = Server::at("127.0.0.1", document("hello")).await;
    let client = strict();
    let response = client.send(Trust::Operator, get(&server.url("/"))).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert!(matches!(client.send(Trust::User, get(&server.url("/"))).await, Err(Error::Refused)));
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn f10_a_user_s_request_never_rides_on_an_operator_s_connection() {
    let keep_alive = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = Server::at("127.0.0.1", keep_alive).await;
    let names = Names::default().with("models.test", &[&["127.0.0.1"]]);
    let client = client(&allowing("", &[&server]), &names);
    let url = server.url_as("models.test", "/");
    let response = client.send(Trust::Operator, get(&url)).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert!(matches!(client.send(Trust::User, get(&url)).await, Err(Error::Refused)));
}

#[tokio::test]
async fn f10_the_judged_host_is_the_one_that_is_asked() {
    let server = Server::at("127.0.0.2", document("hello")).await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    let request = Request::post(server.url("/hook"))
        .header("host", "inside.test")
        .header("user-agent", "somebody")
        .header("x-signature", "sha256=1")
        .body(Body::from("payload"))
        .unwrap();
    client.send(Trust::User, request).await.unwrap();
    let head = &server.heads()[0];
    assert!(head.contains(&format!("host: {}\r\n", server.address)) && !head.contains("inside.test"), "{head}");
    assert!(head.contains("x-signature: sha256=1\r\n") && head.contains("user-agent: jan-server/"), "{head}");
}
