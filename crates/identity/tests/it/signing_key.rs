//! The signing key's file.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Barrier},
};

use domain::{Clock, Secret};
use identity::{Identity, OpenError, Options};
use store::{DatabaseOptions, Store};
use testkit::on_both_databases;

use crate::support::{ISSUER, Server, open};

/// A store that is never touched.
fn nowhere() -> Store {
    let url = Some(Secret::new("postgres://127.0.0.1:1/none"));
    Store::connect_lazy(&DatabaseOptions { url, ..DatabaseOptions::default() }).unwrap()
}

fn try_open(keys: &Path) -> Result<Identity, OpenError> {
    Identity::open(Options::default(), nowhere(), keys, ISSUER.to_owned(), Clock::System)
}

on_both_databases! {
    async fn a_restart_keeps_tokens_good(database: Database) {
        let mut server = Server::new(&database).await;
        let token = server.guest().await.access_token;
        let kid = server.kid();
        server.identity = open(Options::default(), &server.store, server.keys.path(), &server.clock);
        assert_eq!(server.kid(), kid);
        server.bearer(token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn the_key_is_its_owners_alone() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("data").join("keys");
    try_open(&keys).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(mode(&keys.join("signing-key.der")), 0o600);
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1, "no draft stays behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn starters_at_once_end_with_one_key() {
    let keys = tempfile::tempdir().unwrap();
    let barrier = Arc::new(Barrier::new(8));
    let starters: Vec<_> = (0..8)
        .map(|_| {
            let (keys, barrier) = (keys.path().to_owned(), Arc::clone(&barrier));
            let runtime = tokio::runtime::Handle::current();
            std::thread::spawn(move || {
                let _runtime = runtime.enter();
                barrier.wait();
                try_open(&keys).unwrap().public_keys()[0].kid.clone()
            })
        })
        .collect();
    let mut kids: Vec<String> = starters.into_iter().map(|starter| starter.join().unwrap()).collect();
    kids.dedup();
    assert_eq!(kids.len(), 1);
    assert_eq!(fs::read_dir(keys.path()).unwrap().count(), 1, "no draft stays behind");
}

#[tokio::test]
async fn a_damaged_key_stops_the_start_and_stays() {
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("signing-key.der");
    try_open(keys.path()).unwrap();
    let good = fs::read(&file).unwrap();
    let cases: [&[u8]; 4] = [b"", b"no key", &good[..good.len() / 2], &[0; 4_096]];
    for damaged in cases {
        fs::write(&file, damaged).unwrap();
        let error = try_open(keys.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("signing-key.der") && text.contains("delete it"), "{text}");
        assert_eq!(fs::read(&file).unwrap(), damaged, "what is there may be all there is");
    }
    fs::write(&file, good).unwrap();
    try_open(keys.path()).unwrap();
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    fs::write(&keys, "a file where the directory should be").unwrap();
    let error = try_open(&keys).unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    assert!(error.to_string().contains("keys/signing-key.der"), "{error}");
}
