//! F9: a refusal does not tell what it found.

use outbound::Error;

use crate::support::{Names, Server, allowing, client, document, fetch};

#[tokio::test]
async fn f9_every_refusal_is_the_same() {
    let open = Server::at("127.0.0.1", document("secret")).await;
    // A port of this machine on which nobody listens.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let names = Names::default().with("inside.test", &[&["10.0.0.1"]]);
    let mut options = allowing("", &[&open]);
    options.ports.push(closed.port());
    let client = client(&options, &names);
    for url in [
        open.url("/"),
        format!("http://{closed}/"),
        "http://inside.test/".to_owned(),
        "http://unknown.test/".to_owned(),
        "http://169.254.169.254/".to_owned(),
        "ftp://93.184.216.34/".to_owned(),
        "http://93.184.216.34:22/".to_owned(),
    ] {
        for error in [fetch(&client, &url).await.unwrap_err(), client.check(&url).await.unwrap_err()] {
            assert!(matches!(error, Error::Refused), "{url}: {error:?}");
            assert_eq!(error.to_string(), "this URL is not allowed");
            assert!(std::error::Error::source(&error).is_none(), "{url}: the cause would tell");
        }
    }
    assert_eq!(open.heads().len(), 0);
}

#[tokio::test]
async fn f9_other_errors_name_no_address() {
    let closed = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
    let mut options = allowing("127.0.0.2", &[]);
    options.ports.push(closed.port());
    let error = fetch(&client(&options, &Names::default()), &format!("http://{closed}/")).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_connect(), "{error:?}");
    assert_eq!(error.to_string(), "cannot connect to the server");
}
