//! The official SDKs, unmodified, through both doors. What they do is in `crates/e2e/sdk`.

use std::{path::PathBuf, process::Stdio};

use testkit::upstream::{Answer, Upstream};
use tokio::process::Command;

use crate::server::{PATIENCE, Setup};

/// What `cargo xtask test` installed and says the place of.
pub(crate) fn place(name: &str) -> PathBuf {
    let path = std::env::var_os(name);
    path.unwrap_or_else(|| panic!("{name} is not set: `cargo xtask test` installs the SDKs and sets it")).into()
}

pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sdk").join(name)
}

/// Runs an SDK's tests against each door of a server that has models of every kind.
async fn run(sdk: impl Fn() -> Command) {
    let upstream = Upstream::start().await;
    let setup = Setup::new().models(&["jan-tiny"]).arg("--upstream").arg(upstream.url());
    let server = setup.start().await;
    let (_, key) = server.key(&server.guest().await).await;
    server.lists(&key, "upstream-chat").await;
    for door in server.doors() {
        // For the SDKs' own retry.
        upstream.next(Answer::error(429, "slow down").header("retry-after", "1"));
        let mut command = sdk();
        command
            .env("OPENAI_BASE_URL", &door)
            .env("OPENAI_API_KEY", &key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let done = tokio::time::timeout(PATIENCE * 3, command.output()).await.expect("the SDK's tests end").unwrap();
        let words = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "through {door}:\n{words}\nThe server's log:\n{}", server.log());
        // A runner that found no tests succeeds, too.
        assert!(words.contains("errors have their classes") || words.contains("test_bad_credentials"), "{words}");
    }
}

#[tokio::test]
async fn python() {
    let python = place("JAN_TEST_PYTHON");
    run(|| {
        let mut command = Command::new(&python);
        command.arg("-B").arg(script("test_openai.py"));
        command
    })
    .await;
}

#[tokio::test]
async fn node() {
    let (node, packages) = (place("JAN_TEST_NODE"), place("JAN_TEST_NODE_PATH"));
    run(|| {
        let mut command = Command::new(&node);
        command.env("NODE_PATH", &packages).args(["--test", "--test-reporter=tap"]).arg(script("openai.test.cjs"));
        command
    })
    .await;
}
