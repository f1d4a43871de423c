//! F5: redirects are followed three times at most, each judged like a URL of its own; nothing else leads anywhere.

use http::Request;
use outbound::{Body, Error, Trust};

use crate::support::{Names, Server, allowing, at_once, client, document, fetch, redirect};

/// `/n` leads to `/n-1` and so on, to the document at `/0`.
async fn chain() -> Server {
    Server::scripted("127.0.0.2", |path| {
        at_once(match path[1..].parse::<u32>() {
            Ok(0) | Err(_) => document("the end"),
            Ok(n) => redirect(302, &format!("/{}", n - 1)),
        })
    })
    .await
}

#[tokio::test]
async fn f5_three_redirects_are_followed_and_no_more() {
    let server = chain().await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    let fetched = fetch(&client, &server.url("/3")).await.unwrap();
    assert_eq!((fetched.url.as_str(), &fetched.body[..]), (&*server.url("/0"), b"the end".as_slice()));
    assert!(matches!(fetch(&client, &server.url("/4")).await, Err(Error::TooManyRedirects)));
}

#[tokio::test]
async fn f5_each_hop_is_judged() {
    let inside = Server::at("127.0.0.1", document("secret")).await;
    let port = inside.address.port();
    for location in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("http://inside.test:{port}/"),
        format!("http://user:password@127.0.0.2:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://93.184.216.34:22/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://127.0.0.2\\@127.0.0.1/".to_owned(),
        "http://[::1]/".to_owned(),
        "http://".to_owned(),
    ] {
        let target = location.clone();
        let outside =
            Server::scripted("127.0.0.2", move |path| at_once(redirect(path[1..].parse().unwrap(), &target))).await;
        let names = Names::default().with("inside.test", &[&["127.0.0.1"]]);
        let client = client(&allowing("127.0.0.2", &[&outside, &inside]), &names);
        for status in [301, 302, 303, 307, 308] {
            let result = fetch(&client, &outside.url(&format!("/{status}"))).await;
            assert!(matches!(result, Err(Error::Refused)), "{status} {location}: {result:?}");
        }
    }
    assert_eq!(inside.heads().len(), 0, "nothing was sent inside");
}

#[tokio::test]
async fn f5_refresh_headers_and_meta_tags_are_data() {
    let inside = Server::at("127.0.0.2", document("elsewhere")).await;
    let target = inside.url("/");
    let html = format!("<meta http-equiv=\"refresh\" content=\"0; url={target}\">");
    let answer = document(&html).replace("connection:", &format!("refresh: 0; url={target}\r\nconnection:"));
    let server = Server::at("127.0.0.2", answer).await;
    let client = client(&allowing("127.0.0.2", &[&server, &inside]), &Names::default());
    assert_eq!(fetch(&client, &server.url("/")).await.unwrap().body, html);
    assert_eq!(inside.heads().len(), 0);
}

#[tokio::test]
async fn f5_a_single_request_follows_nothing() {
    let server = chain().await;
    let client = client(&allowing("127.0.0.2", &[&server]), &Names::default());
    let request = Request::get(server.url("/3")).header("authorization", "Bearer secret").body(Body::empty()).unwrap();
    let response = client.send(Trust::User, request).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(server.heads().len(), 1);
}
