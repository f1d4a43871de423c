//! Fetching model files from a server that cuts, lies and refuses.

use std::path::Path;

use app::embedded::{FileError, Files, Options, Progress, Reference};

use super::hub::{Hub, Reply, sha256};
use super::{cache_with, model_file, tiny_in};

/// Not a power of two, longer than one write.
fn content() -> Vec<u8> {
    (0..3_000_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn files(directory: &Path, hub: &str) -> Files {
    let options =
        Options { cache_dir: Some(directory.join("models")), hugging_face: hub.to_owned(), ..Options::default() };
    Files::new(&options, outbound::Client::new(&outbound::Options::default()).unwrap()).unwrap()
}

fn model() -> Reference {
    Reference::parse("hf:someone/something/sub/model.gguf@v1").unwrap()
}

#[tokio::test]
async fn a_file_is_fetched_checked_listed_and_removed() {
    let content = content();
    let hub = Hub::start(content.clone(), |_| Reply::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path(), &hub.address());
    let mut seen: Vec<Progress> = Vec::new();
    let path = files.pull(&model(), &mut |progress| seen.push(progress)).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content);
    let last = seen.last().unwrap();
    assert_eq!((last.source, last.bytes, last.total), ("Hugging Face", 3_000_001, 3_000_001));
    assert!(seen.is_sorted_by_key(|progress| progress.bytes) && seen.len() > 2);
    assert!(hub.requests.lock().unwrap()[0].1.ends_with("/someone/something/resolve/v1/sub/model.gguf"));

    // It is there now: nothing is asked of anybody.
    files.pull(&model(), &mut |_| panic!("nothing to fetch")).await.unwrap();
    assert_eq!(hub.starts(), [0]);
    let list = files.list().unwrap();
    let entry = list.iter().find(|entry| entry.id == "model").unwrap();
    assert_eq!((entry.bytes, &entry.path), (Some(3_000_001), &path));
    assert!(list.iter().any(|entry| entry.id == "jan-small" && entry.bytes.is_none()));

    assert!(files.remove(&Reference::parse("model").unwrap()).unwrap() >= 3_000_001);
    assert!(!path.exists());
    assert!(matches!(files.remove(&model()), Err(FileError::Absent { .. })));
    let left: Vec<_> = std::fs::read_dir(files.directory()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_ended() {
    let content = content();
    let cut = |number| Reply { cut_after: (number < 2).then_some(1_200_000), ..Reply::default() };
    let hub = Hub::start(content.clone(), cut).await;
    let directory = tempfile::tempdir().unwrap();
    let path = files(directory.path(), &hub.address()).pull(&model(), &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(hub.starts(), [0, 1_200_000, 2_400_000]);
}

#[tokio::test]
async fn a_later_attempt_goes_on_where_an_earlier_one_ended() {
    let content = content();
    let directory = tempfile::tempdir().unwrap();
    let broken = |number| match number {
        0 => Reply { cut_after: Some(1_000_000), ..Reply::default() },
        _ => Reply { status: Some(404), ..Reply::default() },
    };
    let hub = Hub::start(content.clone(), broken).await;
    let error = files(directory.path(), &hub.address()).pull(&model(), &mut |_| {}).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Hugging Face") && text.contains("404") && !text.contains('\n'), "{text}");

    let hub = Hub::start(content.clone(), |_| Reply::default()).await;
    let files = files(directory.path(), &hub.address());
    assert_eq!(files.list().unwrap().iter().find(|entry| entry.id == "model").unwrap().arrived, Some(1_000_000));
    let path = files.pull(&model(), &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(hub.starts(), [1_000_000]);
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_beginning() {
    let content = content();
    let hub = Hub::start(content.clone(), |number| Reply {
        cut_after: (number == 0).then_some(1_200_000),
        ignores_range: true,
        ..Reply::default()
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = files(directory.path(), &hub.address()).pull(&model(), &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
}

#[tokio::test]
async fn a_file_with_a_wrong_checksum_is_never_put_in_its_place() {
    let content = content();
    let other = sha256(b"something else");
    let hub = Hub::start(content.clone(), {
        let other = other.clone();
        move |_| Reply { sha256: Some(other.clone()), ..Reply::default() }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path(), &hub.address());
    let error = files.pull(&model(), &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains(&sha256(&content)), "{error}");
    assert!(!files.path(&model()).exists());
    assert_eq!(files.list().unwrap().iter().find(|entry| entry.id == "model").unwrap().arrived, Some(0));
}

#[tokio::test]
async fn the_rest_of_a_corrupt_part_is_not_trusted() {
    let content = content();
    let hub = Hub::start(content.clone(), |_| Reply::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path(), &hub.address());
    std::fs::create_dir_all(files.directory()).unwrap();
    std::fs::write(files.directory().join("model.gguf.part"), vec![0; 500_000]).unwrap();
    let path = files.pull(&model(), &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(hub.starts(), [500_000, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_fetch_the_same_file_do_not_fight() {
    let content = content();
    let hub = Hub::start(content.clone(), |_| Reply::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (files(directory.path(), &hub.address()), files(directory.path(), &hub.address()));
    let (model_one, model_two) = (model(), model());
    let (mut quiet_one, mut quiet_two) = (|_| {}, |_| {});
    let (first, second) = tokio::join!(one.pull(&model_one, &mut quiet_one), two.pull(&model_two, &mut quiet_two));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(std::fs::read(one.path(&model_one)).unwrap(), content);
    assert_eq!(hub.starts(), [0]);
}

#[tokio::test]
async fn nobody_there_is_said_in_one_line() {
    // A port that nothing listens on: bound, never accepting, then closed.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let error = files(directory.path(), &format!("http://127.0.0.1:{port}")).pull(&model(), &mut |_| {}).await;
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("cannot fetch the model model: Hugging Face: ") && !text.contains('\n'), "{text}");
    let unknown = Reference::parse("some-file").unwrap();
    let error = files(directory.path(), "http://127.0.0.1:1").pull(&unknown, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, FileError::NoSource(_)), "{error}");
}

#[tokio::test]
async fn a_file_is_read_again_only_after_it_changed() {
    let content = std::fs::read(model_file("jan-tiny")).unwrap();
    let directory = cache_with(&content);
    let options = Options { cache_dir: Some(directory.path().to_owned()), ..Options::default() };
    let client = outbound::Client::new(&outbound::Options::default()).unwrap();
    let files = Files::new(&options, client).unwrap();
    let tiny = Reference::parse("jan-tiny").unwrap();
    files.verify(&tiny).await.unwrap();
    files.verify(&tiny).await.unwrap();
    std::fs::write(tiny_in(directory.path()), b"short").unwrap();
    match files.verify(&tiny).await {
        Err(FileError::Checksum { found, .. }) => assert_eq!(found, sha256(b"short")),
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(tiny_in(directory.path())).unwrap();
    assert!(matches!(files.verify(&tiny).await, Err(FileError::Absent { .. })));
}
