//! F2: names are resolved here, every address is judged, and the one that was judged is the one connected to.

use outbound::{Error, Options};

use crate::support::{Names, PUBLIC, Server, allowing, client, document, fetch};

#[tokio::test]
async fn f2_one_private_address_refuses_the_name() {
    let names = Names::default()
        .with("public.test", &[&[PUBLIC]])
        .with("private.test", &[&["10.0.0.1"]])
        .with("mixed.test", &[&[PUBLIC, "10.0.0.1"]])
        .with("mapped.test", &[&["::ffff:10.0.0.1"]])
        .with("empty.test", &[&[]]);
    let client = client(&Options::default(), &names);
    client.check("http://public.test/").await.unwrap();
    for name in ["private.test", "mixed.test", "mapped.test", "empty.test", "unknown.test"] {
        assert!(matches!(client.check(&format!("http://{name}/")).await, Err(Error::Refused)), "{name}");
        assert!(matches!(fetch(&client, &format!("http://{name}/")).await, Err(Error::Refused)), "{name}");
    }
}

#[tokio::test]
async fn f2_a_name_that_changes_between_check_and_connection_is_refused() {
    let server = Server::at("127.0.0.1", document("secret")).await;
    let names = Names::default().with("rebinding.test", &[&[PUBLIC], &["127.0.0.1"]]);
    // The port is open to users; the address is not.
    let client = client(&allowing("", &[&server]), &names);
    let url = server.url_as("rebinding.test", "/");
    client.check(&url).await.unwrap();
    assert!(matches!(fetch(&client, &url).await, Err(Error::Refused)));
    assert_eq!(server.heads().len(), 0, "nothing was sent");
}

#[tokio::test]
async fn f2_the_judged_address_is_the_one_connected_to() {
    let first = Server::at("127.0.0.2", document("first")).await;
    let names = Names::default().with("changing.test", &[&["127.0.0.2"], &["127.0.0.3"]]);
    let client = client(&allowing("127.0.0.2/32", &[&first]), &names);
    let fetched = fetch(&client, &first.url_as("changing.test", "/")).await.unwrap();
    assert_eq!(fetched.body, "first");
    assert_eq!(names.asked("changing.test"), 1, "a second look might find another address");
    assert!(first.heads()[0].contains(&format!("host: changing.test:{}\r\n", first.address.port())));
}
