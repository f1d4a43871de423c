//! F6: an exception loosens nothing but itself.

use outbound::{AllowList, Error, Options};

use crate::support::{Names, PUBLIC, Server, allowing, client, document, fetch};

fn with(allow: &str, names: &Names) -> outbound::Client {
    client(&Options { allow: allow.parse().unwrap(), ..Options::default() }, names)
}

#[tokio::test]
async fn f6_an_allowed_address_is_reached_and_its_neighbours_are_not() {
    let allowed = Server::at("127.0.0.2", document("allowed")).await;
    let other = Server::at("127.0.0.3", document("secret")).await;
    let names =
        Names::default().with("other.test", &[&["127.0.0.3"]]).with("both.test", &[&["127.0.0.2", "127.0.0.3"]]);
    let client = client(&allowing("127.0.0.2/32", &[&allowed, &other]), &names);
    assert_eq!(fetch(&client, &allowed.url("/")).await.unwrap().body, "allowed");
    for url in
        [other.url("/"), other.url_as("other.test", "/"), other.url_as("both.test", "/"), "http://10.0.0.1/".to_owned()]
    {
        assert!(matches!(fetch(&client, &url).await, Err(Error::Refused)), "{url}");
    }
    assert_eq!(other.heads().len(), 0);
}

#[tokio::test]
async fn f6_rebinding_stays_refused_beside_an_allowed_address() {
    let inside = Server::at("127.0.0.1", document("secret")).await;
    let names = Names::default().with("rebinding.test", &[&[PUBLIC], &["127.0.0.1"]]);
    let client = client(&allowing("127.0.0.2/32", &[&inside]), &names);
    let url = inside.url_as("rebinding.test", "/");
    client.check(&url).await.unwrap();
    assert!(matches!(fetch(&client, &url).await, Err(Error::Refused)));
    assert_eq!(inside.heads().len(), 0);
}

#[tokio::test]
async fn f6_a_name_allows_what_it_leads_to_and_no_other_way_there() {
    let names = || {
        let names = Names::default().with("files.internal", &[&["10.1.2.3"]]);
        names.with("other.internal", &[&["10.1.2.3"]]).with("x.files.internal", &[&["10.1.2.3"]])
    };
    let client = with("files.internal", &names());
    for url in ["http://files.internal/", "http://FILES.internal./"] {
        client.check(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
    for url in ["http://10.1.2.3/", "http://other.internal/", "http://x.files.internal/"] {
        assert!(matches!(client.check(url).await, Err(Error::Refused)), "{url}");
    }
}

#[tokio::test]
async fn f6_ranges_are_allowed_whole() {
    let client = with("10.1.0.0/16, fd12::/16", &Names::default());
    for url in ["http://10.1.0.0/", "http://10.1.255.255/", "http://[fd12::1]/", "http://[::ffff:10.1.2.3]/"] {
        client.check(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
    for url in ["http://10.0.255.255/", "http://10.2.0.0/", "http://[fd13::1]/"] {
        assert!(matches!(client.check(url).await, Err(Error::Refused)), "{url}");
    }
}

#[tokio::test]
async fn f6_metadata_stays_banned_unless_it_is_named_exactly() {
    let metadata =
        ["169.254.169.254", "169.254.170.2", "192.0.0.192", "100.100.100.200", "168.63.129.16", "[fd00:ec2::254]"];
    let everything = "0.0.0.0/0, ::/0, metadata.internal";
    for host in metadata {
        let names = Names::default().with("metadata.internal", &[&[host.trim_matches(['[', ']'])]]);
        let client = with(everything, &names);
        for url in [format!("http://{host}/"), "http://metadata.internal/".to_owned()] {
            assert!(matches!(client.check(&url).await, Err(Error::Refused)), "{url} of {host}");
        }
        let exactly = with(host, &Names::default());
        exactly.check(&format!("http://{host}/")).await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    for translated in ["[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[::a9fe:a9fe]"] {
        let client = with(everything, &Names::default());
        assert!(matches!(client.check(&format!("http://{translated}/")).await, Err(Error::Refused)), "{translated}");
    }
}

#[test]
fn f6_the_list_is_empty_by_default_and_bad_entries_are_named() {
    assert_eq!(AllowList::default(), Options::default().allow);
    assert_eq!(Vec::<String>::from(AllowList::default()), Vec::<String>::new());
    for bad in ["10.0.0.0/33", "a b", "http://files.internal/", "10.0.0.0/8/8", "."] {
        let error = bad.parse::<AllowList>().unwrap_err();
        assert!(error.to_string().contains(bad), "{error}");
    }
    let list: AllowList = serde_json::from_str(r#"["10.1.2.3/16", "0x7f.1", "Files.internal."]"#).unwrap();
    assert_eq!(Vec::from(list), ["10.1.0.0/16", "127.0.0.1/32", "files.internal"]);
}
