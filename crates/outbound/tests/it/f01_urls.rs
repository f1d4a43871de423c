//! F1: a URL is read once, and only a plain http(s) one is taken.

use outbound::{Error, Options};

use crate::support::{Names, PUBLIC, client, strict};

#[tokio::test]
async fn f1_only_plain_urls_are_taken() {
    let client = strict();
    for url in [
        "",
        "nonsense",
        "//93.184.216.34/",
        "http://",
        "http:///x",
        "file:///etc/passwd",
        "ftp://93.184.216.34/",
        "gopher://93.184.216.34/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ws://93.184.216.34/",
        "unix:/run/docker.sock",
        "http://user@93.184.216.34/",
        "http://user:password@93.184.216.34/",
        "http://:password@93.184.216.34/",
        "http://93.184.216.34\\@10.0.0.1/",
        "http://93.184.216.34/a b",
        " http://93.184.216.34/",
        "http://93.184.216.34/\n",
        "http://93.184.216.34/\0",
        "http://93.184.216.34/\u{a0}",
        "http://93.184.216.34\t/",
    ] {
        assert!(matches!(client.check(url).await, Err(Error::Refused)), "{url:?}");
    }
    let long = format!("http://{PUBLIC}/{}", "a".repeat(10_000));
    assert!(matches!(client.check(&long).await, Err(Error::Refused)));
    for url in [
        "http://93.184.216.34",
        "https://93.184.216.34:443/x?y=z#f",
        "HTTP://93.184.216.34:80/",
        "http://93.184.216.34:443/",
    ] {
        client.check(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

#[tokio::test]
async fn f1_a_host_name_has_a_length() {
    // Labels of 49 and their dots: 199 and 254 characters with the ending.
    let name = |labels: usize| vec!["a".repeat(49); labels].join(".") + ".test";
    let (fits, long) = (name(4), name(5));
    let names = Names::default().with(&fits, &[&[PUBLIC]]).with(&long, &[&[PUBLIC]]);
    let client = client(&Options::default(), &names);
    client.check(&format!("http://{fits}/")).await.unwrap();
    assert!(matches!(client.check(&format!("http://{long}/")).await, Err(Error::Refused)));
}

#[tokio::test]
async fn f1_only_listed_ports_are_reached() {
    let strict = strict();
    let wider = client(&Options { ports: vec![8080], ..Options::default() }, &Names::default());
    for port in [1, 21, 22, 25, 53, 81, 444, 2375, 3306, 5432, 6379, 8080, 8443, 9200, 65_535] {
        let url = format!("http://{PUBLIC}:{port}/");
        assert!(matches!(strict.check(&url).await, Err(Error::Refused)), "{port}");
        assert_eq!(wider.check(&url).await.is_ok(), port == 8080, "{port}");
    }
}
