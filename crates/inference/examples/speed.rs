//! Measures an engine: `speed MODEL.gguf THREADS PROMPT_TOKENS ANSWER_TOKENS [PARALLEL]`.
//!
//! Prints one line of JSON: prompt tokens per second, generated tokens per second (of all parallel answers
//! together), seconds to the first token, seconds to load.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::path::PathBuf;
use std::time::Instant;

use inference::{Engine, EngineOptions, Event, Request, Sampling};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, threads, prompt, answer, rest @ ..] = arguments.as_slice() else {
        return Err("usage: speed MODEL.gguf THREADS PROMPT_TOKENS ANSWER_TOKENS [PARALLEL]".into());
    };
    let (path, threads) = (PathBuf::from(path), threads.parse()?);
    let (prompt, answer): (usize, u32) = (prompt.parse()?, answer.parse()?);
    let parallel: usize = rest.first().map_or(Ok(1), |text| text.parse())?;

    let begun = Instant::now();
    let options = EngineOptions { threads: Some(threads), max_parallel: parallel, ..EngineOptions::default() };
    let engine = tokio::task::spawn_blocking(move || Engine::load(&path, &options)).await??;
    let loaded = begun.elapsed().as_secs_f64();

    // Different words first, so that no request profits from another's keys and values.
    let text = |n: usize| format!("{n} ") + &"The quick brown fox jumps over it. ".repeat(prompt / 8);
    let request = |n: usize| Request {
        max_tokens: Some(answer),
        sampling: Sampling {
            temperature: 0.0,
            // No token that could end the answer early.
            logit_bias: (0..engine.info().vocabulary as u32)
                .filter(|id| engine.is_end(*id))
                .map(|id| (id, -100.0))
                .collect(),
            ..Sampling::default()
        },
        ..Request::new(json!([{"role": "system", "content": text(n)}, {"role": "user", "content": "Go on."}]))
    };
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for n in 0..parallel {
        let mut generation = engine.submit(request(n)).await?;
        running.spawn(async move {
            let (mut tokens, mut first, mut generated) = (0, None, 0);
            while let Some(event) = generation.next().await {
                match event {
                    Event::Started { prompt_tokens, .. } => tokens = prompt_tokens,
                    Event::Text { .. } => first = first.or(Some(Instant::now())),
                    Event::Finished { completion_tokens, .. } => generated = completion_tokens,
                    _ => {}
                }
            }
            (tokens, first.unwrap_or_else(Instant::now), generated)
        });
    }
    let (mut tokens, mut first, mut generated) = (0, begun, 0);
    while let Some(measured) = running.join_next().await {
        let (t, f, g) = measured?;
        tokens += t;
        generated += g.saturating_sub(1);
        first = first.max(f);
    }
    let prompt_seconds = (first - begun).as_secs_f64();
    let result = json!({
        "prompt_tokens": tokens,
        "pp": f64::from(tokens) / prompt_seconds,
        "tg": f64::from(generated) / first.elapsed().as_secs_f64(),
        "first_token_seconds": prompt_seconds,
        "load_seconds": loaded,
    });
    println!("{result}");
    Ok(())
}
