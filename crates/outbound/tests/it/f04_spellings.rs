//! F4: an address is judged by what it is, however it is written.

use outbound::{Error, Options};

use crate::support::{Names, PUBLIC, client, strict};

#[tokio::test]
async fn f4_every_spelling_of_a_private_address_is_refused() {
    let client = strict();
    for host in [
        "2130706433",
        "0x7f000001",
        "0x7F.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "0177.0000.0000.0001",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "127.0.0.1.",
        "127.1.",
        "127。0。0。1",
        "127．0．0．1",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "0",
        "0x0",
        "00.0.0.0",
        "10.1",
        "167772161",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "192.168.257",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::0001]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:0001::]",
        "[fe80::1%25eth0]",
        "[::1%251]",
        "256.0.0.1",
        "1.2.3.4.5",
        "0x",
        "127.0.0.1:80:80",
        "4294967296",
    ] {
        assert!(matches!(client.check(&format!("http://{host}/")).await, Err(Error::Refused)), "{host}");
    }
}

#[tokio::test]
async fn f4_the_name_of_this_machine_is_judged_by_its_address() {
    let names = Names::default().with("localhost", &[&["127.0.0.1", "::1"]]);
    let client = client(&Options::default(), &names);
    for host in ["localhost", "LOCALHOST", "localhost.", "ｌocalhost", "local%68ost"] {
        assert!(matches!(client.check(&format!("http://{host}/")).await, Err(Error::Refused)), "{host}");
    }
}

#[tokio::test]
async fn f4_public_addresses_may_be_written_oddly() {
    let client = strict();
    for host in ["1572395042", "0x5db8d822", PUBLIC] {
        client.check(&format!("http://{host}/")).await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
}
