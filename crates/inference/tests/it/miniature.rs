//! A model of a few kilobytes, made here, so that a test can break it in any place: its file, its weights, its
//! template.

use std::io::Write;

use inference::{Engine, EngineOptions, Error, Event, Request};
use tempfile::NamedTempFile;

use crate::support::{PATIENCE, user};

const WIDTH: usize = 32;

/// What can be wrong with it.
struct Model {
    template: &'static str,
    /// The value of a tensor's elements, by the tensor's name and the element's number.
    weight: fn(&str, usize) -> f32,
    context: u32,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            template: "{% for m in messages %}{{ m.content }}{% endfor %}",
            weight: |name, n| if name.contains("norm") { 1.0 } else { (n * 7919 % 1013) as f32 / 1013.0 - 0.5 },
            context: 64,
        }
    }
}

fn text(content: &str) -> Vec<u8> {
    [&(content.len() as u64).to_le_bytes(), content.as_bytes()].concat()
}

/// GPT-2's character for each byte.
fn letters() -> Vec<String> {
    let mut others = 256_u32..;
    let code = |byte: u32| match byte {
        33..=126 | 161..=172 | 174..=255 => byte,
        _ => others.next().unwrap(),
    };
    (0..256).map(code).map(|code| char::from_u32(code).unwrap().to_string()).collect()
}

impl Model {
    fn file(&self) -> Vec<u8> {
        let key = |name: &str, kind: u32, value: Vec<u8>| [text(name), kind.to_le_bytes().to_vec(), value].concat();
        let number = |name: &str, n: u32| key(&format!("llama.{name}"), 4, n.to_le_bytes().to_vec());
        let list = |kind: u32, items: Vec<Vec<u8>>| {
            [kind.to_le_bytes().to_vec(), (items.len() as u64).to_le_bytes().to_vec(), items.concat()].concat()
        };
        let mut tokens = letters();
        tokens.push("<|im_end|>".to_owned());
        let kinds = (0..257_i32).map(|n| if n < 256 { 1_i32 } else { 3 }.to_le_bytes().to_vec()).collect();
        let keys = [
            key("general.architecture", 8, text("llama")),
            number("context_length", self.context),
            number("embedding_length", WIDTH as u32),
            number("block_count", 1),
            number("feed_forward_length", WIDTH as u32),
            number("attention.head_count", 2),
            key("tokenizer.ggml.model", 8, text("gpt2")),
            key("tokenizer.ggml.tokens", 9, list(8, tokens.iter().map(|token| text(token)).collect())),
            key("tokenizer.ggml.token_type", 9, list(5, kinds)),
            key("tokenizer.ggml.merges", 9, list(8, vec![text("a b")])),
            key("tokenizer.chat_template", 8, text(self.template)),
        ];
        let square = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
        let square = square.map(|name| (format!("blk.0.{name}.weight"), WIDTH));
        let vectors = ["blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"];
        let vectors = vectors.map(|name| (name.to_owned(), 1));
        let tensors: Vec<(String, usize)> =
            square.into_iter().chain(vectors).chain([("token_embd.weight".to_owned(), 257)]).collect();

        let mut header = [
            b"GGUF".to_vec(),
            3_u32.to_le_bytes().to_vec(),
            (tensors.len() as u64).to_le_bytes().to_vec(),
            (keys.len() as u64).to_le_bytes().to_vec(),
            keys.concat(),
        ]
        .concat();
        let mut data = Vec::new();
        for (name, rows) in &tensors {
            header.extend(text(name));
            header.extend(2_u32.to_le_bytes());
            header.extend((WIDTH as u64).to_le_bytes());
            header.extend((*rows as u64).to_le_bytes());
            header.extend(0_u32.to_le_bytes());
            header.extend((data.len() as u64).to_le_bytes());
            data.extend((0..rows * WIDTH).flat_map(|n| (self.weight)(name, n).to_le_bytes()));
        }
        header.resize(header.len().next_multiple_of(32), 0);
        [header, data].concat()
    }

    fn engine(&self) -> Engine {
        load(&self.file()).unwrap()
    }
}

fn load(bytes: &[u8]) -> Result<Engine, Error> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Engine::load(file.path(), &EngineOptions { threads: Some(1), ..EngineOptions::default() })
}

/// The last event of a short answer.
async fn last(engine: &Engine) -> Result<Event, Error> {
    let request = Request { max_tokens: Some(4), ..Request::new(user("ab cd")) };
    let mut generation = engine.submit(request).await?;
    let mut last = None;
    let reading = async {
        while let Some(event) = generation.next().await {
            last = Some(event);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the answer did not end");
    Ok(last.expect("no event"))
}

#[tokio::test]
async fn it_answers() {
    let engine = Model::default().engine();
    assert!(matches!(last(&engine).await, Ok(Event::Finished { completion_tokens: 1..=4, .. })));
    assert_eq!((engine.info().vocabulary, engine.info().context_length), (257, 64));
}

#[tokio::test]
async fn weights_that_are_no_numbers_fail_the_answer_and_not_the_engine() {
    let nan = Model { weight: |name, _| if name.contains("output_norm") { f32::NAN } else { 0.5 }, ..Model::default() };
    let infinite =
        Model { weight: |name, _| if name.contains("output_norm") { f32::INFINITY } else { 0.5 }, ..Model::default() };
    for model in [nan, infinite] {
        let engine = model.engine();
        for _ in 0..2 {
            // Infinities may cancel into numbers; what must not happen is a crash or an endless answer.
            let end = last(&engine).await.unwrap();
            assert!(matches!(end, Event::Failed(Error::Internal(_)) | Event::Finished { .. }), "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_hostile_template_costs_its_own_request_only() {
    for template in [
        "{{ raise_exception('no') }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{{ messages.nothing.more }}",
        "{{ 'x' * 99999999999 }}",
    ] {
        let engine = Model { template, ..Model::default() }.engine();
        match last(&engine).await {
            Err(Error::InvalidRequest { param, message }) => assert_eq!(param, "messages", "{message}"),
            other => panic!("{template}: {other:?}"),
        }
    }
    let broken = Model { template: "{% for %}", ..Model::default() };
    assert!(matches!(load(&broken.file()), Err(Error::InvalidFile(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_in_the_header_never_crashes() {
    let whole = Model::default().file();
    let header = whole.len() - (7 * WIDTH + 3 + 257) * WIDTH * 4;
    let mut loaded = 0;
    for at in (4..header).step_by(5) {
        let mut bytes = whole.clone();
        // Everything, the lowest bit, one that keeps a letter a letter.
        bytes[at] ^= [0xff, 1, 4][at % 3];
        if let Ok(engine) = load(&bytes) {
            loaded += 1;
            // Whatever it says: it comes to an end.
            let _ = last(&engine).await;
        }
    }
    assert!(loaded > 0, "no change was harmless: the test does not reach the engine");
}

#[test]
fn sizes_beyond_reason_are_refused() {
    let tokens = Model { context: 0, ..Model::default() };
    assert!(matches!(load(&tokens.file()), Err(Error::InvalidFile(message)) if message.contains("context_length")));
    let whole = Model::default().file();
    for end in (0..whole.len()).step_by(997) {
        assert!(matches!(load(&whole[..end]), Err(Error::InvalidFile(_))), "cut at {end}");
    }
}
