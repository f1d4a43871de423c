//! A headless Chromium at the sign-in page. What it does is in `crates/e2e/sdk/browser.test.cjs`.

use std::process::Stdio;

use tokio::process::Command;

use crate::{
    external_sign_in::Site,
    sdk::{place, script},
    server::PATIENCE,
};

#[tokio::test]
async fn people_sign_in_at_a_browser() {
    let site = Site::new();
    let _provider = site.provider("one").await;
    let server = site.setup().start().await;
    let mut command = Command::new(place("JAN_TEST_NODE"));
    command
        .env("NODE_PATH", place("JAN_TEST_NODE_PATH"))
        .env("JAN_CHROMIUM", place("JAN_TEST_CHROMIUM"))
        .env("JAN_SERVER", &site.server)
        .env("JAN_PROVIDER", site.issuer())
        .args(["--test", "--test-reporter=tap"])
        .arg(script("browser.test.cjs"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let done = tokio::time::timeout(PATIENCE * 4, command.output()).await.expect("the browser's tests end").unwrap();
    let words = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words}\nThe server's log:\n{}", server.log());
    // A runner that found no tests succeeds, too.
    assert!(words.contains("through the provider"), "{words}");
}
