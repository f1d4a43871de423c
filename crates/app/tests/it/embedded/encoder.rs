//! What texts mean, with the real encoder. Its files must be there; a missing one fails the tests.

use std::sync::Arc;

use app::{
    embedded::{ENCODER, Encoder, Options},
    memories::{Embedder, Kept, Memories, NewMemory},
    prompt::{self, Bound, Hints, MemoryAccess, Prompt},
};
use domain::{
    Clock, Secret,
    ids::UserId,
    memory::{MemoryKind, MemorySource},
};
use store::{DatabaseOptions, Store};
use testkit::database::Database;
use tokio_util::task::TaskTracker;
use wire::openai::chat::request::ChatRequest;

use super::{PATIENCE, default_directory};
use crate::support::insert_user;

/// The encoder, loaded.
async fn encoder() -> Encoder {
    for known in ENCODER {
        let path = default_directory().expect("a cache directory").join(known.file);
        assert!(path.is_file(), "{} is missing: `jan-server model pull {}` fetches it", path.display(), known.id);
    }
    let client = outbound::Client::new(&outbound::Options::default()).unwrap();
    let options = Options { offline: true, ..Options::default() };
    let encoder = Encoder::new(&options, client, TaskTracker::new()).unwrap();
    let loading = async {
        while encoder.embed(vec!["x".to_owned()]).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, loading).await.expect("the encoder was not loaded");
    encoder
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn like_texts_have_like_vectors() {
    let encoder = encoder().await;
    let texts =
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day", ""];
    let vectors = encoder.embed(texts.map(str::to_owned).to_vec()).await.unwrap();
    // What the model's makers publish for these; ours is packed to int8.
    for (vector, published) in vectors[1..].iter().zip([0.695, 0.943, 0.257]) {
        let found = cosine(&vectors[0], vector);
        assert!((found - published).abs() < 0.02, "{found}, not {published}");
    }
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4);
    }
    let long = encoder.embed(vec!["happy ".repeat(5_000)]).await.unwrap();
    assert_eq!(long[0].len(), 384);
}

#[tokio::test(flavor = "multi_thread")]
async fn memories_are_found_by_what_they_mean() {
    let database = Database::sqlite();
    let url = Some(Secret::new(database.url.clone()));
    let store = Store::open(&DatabaseOptions { url, ..DatabaseOptions::default() }).await.unwrap();
    let user = insert_user(&store).await;
    // One is kept while there is no encoder; what it means is found out with the first question.
    let plain = Prompt::new(prompt::Options::default(), store.clone(), Clock::System, None);
    keep(plain.memories(), &user, "My dog is called Rex").await;
    let encoder: Arc<dyn Embedder> = Arc::new(encoder().await);
    let prompt = Prompt::new(prompt::Options::default(), store.clone(), Clock::System, Some(encoder));
    for content in ["I am learning Spanish", "My daughter is called Mia and is seven", "My favourite colour is green"] {
        keep(prompt.memories(), &user, content).await;
    }
    for (question, expected) in [
        ("How do I say thank you in another language?", Some("I am learning Spanish")),
        ("Plan a birthday party for my kid", Some("My daughter is called Mia and is seven")),
        ("What should I feed my pet?", Some("My dog is called Rex")),
        ("Explain quantum entanglement", None),
    ] {
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": question}]});
        let request: ChatRequest = serde_json::from_value(body).unwrap();
        let bound = Some(Bound { keep: true, ..Bound::default() });
        let hints = Hints { memory: MemoryAccess { recall: true, remember: false }, ..Hints::default() };
        let composed = prompt.compose(&user, bound, &hints, &request, None).await.unwrap();
        let told: Vec<&str> = composed.text.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{question}");
    }
    let memories = store.read().await.unwrap().all_memories(&user, 9).await.unwrap();
    assert!(memories.iter().all(|memory| memory.meaning.is_some()));
}

async fn keep(memories: &Memories, user: &UserId, content: &str) {
    let new =
        NewMemory { content: content.to_owned(), kind: MemoryKind::Fact, project: None, source: MemorySource::User };
    assert!(matches!(memories.create(user, new).await.unwrap(), Kept::New(_)));
}
