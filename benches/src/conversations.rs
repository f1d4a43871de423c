//! What conversations cost: to make one, to add an item, to list a page; and whether that stays so from ten to very many.
//!
//! The goals are CPU time for each request at 32 connections, where several writes share a commit, and that latency at
//! one connection does not depend on how much is there. Everything is made through the API, by callers with keys.

use std::fmt::Write;

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::load::closed;
use crate::load::connection::Connection;
use crate::load::target::{Prepared, Target};
use crate::process::{self, Process};
use crate::server::{self, Program, Server};

/// Items of one request, at most what the API takes.
const BATCH: u32 = 20;
/// Requests of a measure at one connection, about; the kernel's grain of CPU time wants many.
const REQUESTS: u32 = 2_000;
/// Connections of the others.
const CONNECTIONS: u32 = 32;
/// Requests of each of these.
const EACH: u32 = 300;

/// Which server, and how much is "very many".
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: server::Options,
    /// Items of the largest conversation.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    items: u32,
    /// Conversations of the user who has most.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    conversations: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let program = Program::find(options.server).await?;
    let (_mock, upstream) = Process::role(&["mock"]).await?;
    let data = tempfile::tempdir()?;
    let server = program.start(data.path(), upstream).await?;
    let mut bench = Bench { server, table: HEAD.to_owned() };
    bench.each_request().await?;
    for items in [10, 1_000, options.items] {
        bench.by_items(items).await?;
    }
    for conversations in [10, 1_000, options.conversations] {
        bench.by_conversations(conversations).await?;
    }
    println!("{}", bench.table);
    bench.server.stop().await
}

const HEAD: &str = "\
| what | connections | there | CPU µs | goal | requests/s | p50 ms | p99 ms |
|---|---|---|---|---|---|---|---|
";

struct Bench {
    server: Server,
    table: String,
}

/// What a measure is called, and what it is held against.
struct Measure<'a> {
    what: &'a str,
    there: String,
    goal: Option<u32>,
}

impl Bench {
    /// The requests that have goals, at 32 connections.
    async fn each_request(&mut self) -> anyhow::Result<()> {
        let caller = self.server.target().await?;
        let mut conversations = Vec::new();
        for _ in 0..CONNECTIONS {
            conversations.push(self.conversation(&caller, BATCH).await?);
        }
        let lists = |make: &dyn Fn(&str) -> anyhow::Result<Prepared>| -> anyhow::Result<Vec<Vec<Prepared>>> {
            conversations.iter().map(|id| Ok(vec![make(id)?])).collect()
        };
        let list = lists(&|id| page(&caller, id, BATCH, ""))?;
        let add = lists(&|id| append(&caller, id, 1))?;
        let create = lists(&|_| caller.prepare(Method::POST, "/v1/conversations", "{}".into(), None))?;
        let there = || format!("{BATCH} items");
        let goals = [
            (Measure { what: "list 20 items", there: there(), goal: Some(150) }, list),
            (Measure { what: "add one item", there: there(), goal: Some(200) }, add),
            (Measure { what: "create a conversation", there: String::new(), goal: Some(150) }, create),
        ];
        for (measure, requests) in goals {
            self.measure(&caller, measure, requests, EACH).await?;
        }
        Ok(())
    }

    /// Adding to conversations of so many items, and listing them.
    async fn by_items(&mut self, items: u32) -> anyhow::Result<()> {
        let caller = self.server.target().await?;
        // Of small ones there are many, so that they stay small.
        let count = (10_000 / items).clamp(1, 500);
        let mut conversations = Vec::new();
        for _ in 0..count {
            conversations.push(self.conversation(&caller, items).await?);
        }
        let times = REQUESTS / count;
        let there = || format!("{items} items");
        let lists = conversations.iter().map(|id| page(&caller, id, 10, "")).collect::<Result<_, _>>()?;
        self.measure(&caller, Measure { what: "list 10 items", there: there(), goal: None }, vec![lists], times)
            .await?;
        let adds = conversations.iter().map(|id| append(&caller, id, 1)).collect::<Result<_, _>>()?;
        self.measure(&caller, Measure { what: "add one item", there: there(), goal: None }, vec![adds], times).await?;

        if let [conversation] = conversations.as_slice() {
            let middle = self.middle(&caller, conversation, items / 2).await?;
            let list = page(&caller, conversation, 10, &format!("&after={middle}"))?;
            let measure = Measure { what: "list 10 items from the middle", there: there(), goal: None };
            self.measure(&caller, measure, vec![vec![list]], times).await?;
        }
        Ok(())
    }

    /// Listing, making and using conversations of a user who has so many.
    async fn by_conversations(&mut self, count: u32) -> anyhow::Result<()> {
        let caller = self.server.target().await?;
        let create = caller.prepare(Method::POST, "/v1/conversations", "{}".into(), None)?;
        let lists = vec![vec![create.clone()]; CONNECTIONS.min(count / 10) as usize];
        let (connections, there) = (lists.len() as u32, || format!("{count} conversations"));
        let made = closed::each(&caller, lists, count / connections).await?;
        ensure!(made.errors == 0, "{:?}", made.first_error);

        let list = caller.prepare(Method::GET, "/v1/conversations?limit=10", bytes::Bytes::new(), None)?;
        let measure = Measure { what: "list 10 conversations", there: there(), goal: None };
        self.measure(&caller, measure, vec![vec![list.clone()]], REQUESTS).await?;
        let (_, listed) = Connection::open(caller.address()).await?.json(&list).await?;
        let newest = listed["data"][0]["id"].as_str().context("no conversation is listed")?;
        let measure = Measure { what: "add one item", there: there(), goal: None };
        self.measure(&caller, measure, vec![vec![append(&caller, newest, 1)?]], REQUESTS).await?;
        // Those with few do not stay that.
        let times = REQUESTS.min(count * 10);
        let measure = Measure { what: "create a conversation", there: there(), goal: None };
        self.measure(&caller, measure, vec![vec![create]], times).await
    }

    /// Sends the requests, after a tenth of them to warm up, and writes a line of the table.
    async fn measure(
        &mut self,
        caller: &Target,
        measure: Measure<'_>,
        requests: Vec<Vec<Prepared>>,
        times: u32,
    ) -> anyhow::Result<()> {
        let connections = requests.len();
        closed::each(caller, requests.clone(), times.div_ceil(10)).await?;
        let before = process::cpu_micros(self.server.pid())?;
        let outcome = closed::each(caller, requests, times).await?;
        let cpu = process::cpu_micros(self.server.pid())? - before;
        ensure!(outcome.errors == 0, "{}: {:?}", measure.what, outcome.first_error);
        let figures = outcome.figures();
        let latency = figures.latency.context("nothing was measured")?;
        writeln!(
            self.table,
            "| {} | {connections} | {} | {:.0} | {} | {:.0} | {:.2} | {:.2} |",
            measure.what,
            measure.there,
            cpu as f64 / figures.requests as f64,
            measure.goal.map_or_else(String::new, |goal| format!("≤ {goal}")),
            figures.rate,
            latency.p50,
            latency.p99,
        )?;
        println!("{}", self.table.lines().last().unwrap_or_default());
        Ok(())
    }

    /// A conversation of so many items.
    async fn conversation(&self, caller: &Target, items: u32) -> anyhow::Result<String> {
        let made = self.server.ask(caller, Method::POST, "/v1/conversations", json!({})).await?;
        let id = made["id"].as_str().context("a conversation has no id")?.to_owned();
        let batch = items.min(BATCH);
        let added = closed::each(caller, vec![vec![append(caller, &id, batch)?]], items / batch).await?;
        ensure!(added.errors == 0, "{:?}", added.first_error);
        Ok(id)
    }

    /// The id of an item about so far from the newest.
    async fn middle(&self, caller: &Target, conversation: &str, skip: u32) -> anyhow::Result<String> {
        let mut connection = Connection::open(caller.address()).await?;
        let mut last = String::new();
        for _ in 0..skip.div_ceil(100) {
            let after = if last.is_empty() { String::new() } else { format!("&after={last}") };
            let (_, shown) = connection.json(&page(caller, conversation, 100, &after)?).await?;
            shown["last_id"].as_str().context("no item is listed")?.clone_into(&mut last);
        }
        Ok(last)
    }
}

/// A request for a page of items.
fn page(caller: &Target, conversation: &str, limit: u32, more: &str) -> anyhow::Result<Prepared> {
    let path = format!("/v1/conversations/{conversation}/items?limit={limit}{more}");
    caller.prepare(Method::GET, &path, bytes::Bytes::new(), None)
}

/// A request that adds so many items.
fn append(caller: &Target, conversation: &str, items: u32) -> anyhow::Result<Prepared> {
    let text = "An item of ordinary length, such as people write. ".repeat(4);
    let items: Vec<Value> = (0..items).map(|_| json!({ "role": "user", "content": text })).collect();
    let body = json!({ "items": items }).to_string();
    caller.prepare(Method::POST, &format!("/v1/conversations/{conversation}/items"), body.into(), None)
}
