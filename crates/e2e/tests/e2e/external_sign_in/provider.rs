//! The provider `oidc-provider`, in Node, and a server that takes its users.

use std::{net::TcpListener, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    sdk::{place, script},
    server::{PATIENCE, Setup},
};

/// Where browsers land, as the provider and the server both know it. Nobody listens there.
pub(crate) const LANDING: &str = "http://127.0.0.1:9/landing";

/// Where the provider and the server are.
pub(crate) struct Site {
    port: u16,
    pub(crate) server: String,
    server_port: u16,
}

impl Site {
    /// Two free ports. Both sides have to know the other's address before they start.
    pub(crate) fn new() -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, server_port] = listeners.map(|listener| listener.local_addr().unwrap().port());
        Self { port, server: format!("http://127.0.0.1:{server_port}"), server_port }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the provider with a new key of this name. It knows nobody from before.
    pub(crate) async fn provider(&self, key: &str) -> Child {
        let mut command = Command::new(place("JAN_TEST_NODE"));
        command
            .env("NODE_PATH", place("JAN_TEST_NODE_PATH"))
            .arg(script("provider.cjs"))
            .args([&self.port.to_string(), key, &format!("{}/auth/callback", self.server), LANDING])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut provider = command.spawn().unwrap();
        let mut lines = BufReader::new(provider.stdout.take().unwrap()).lines();
        let ready = async { while lines.next_line().await.unwrap().expect("the provider starts") != "ready" {} };
        tokio::time::timeout(PATIENCE, ready).await.expect("the provider is ready in time");
        provider
    }

    /// A server whose users sign in there, too.
    pub(crate) fn setup(&self) -> Setup {
        let config = format!(
            "[identity.oidc]\nissuer = \"{}\"\nclient_id = \"jan\"\nclient_secret = \"not so secret\"\n\
             clients = [\"web-app\"]\naudiences = [\"urn:jan:api\"]\ndisplay_name = \"Example SSO\"\n",
            self.issuer()
        );
        Setup::new()
            .configured(&config)
            .arg("--no-embedded-model")
            .arg(format!("--llm-api-port={}", self.server_port))
            .arg(format!("--public-url={}", self.server))
    }
}
