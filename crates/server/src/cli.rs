//! The command line.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser},
};
use domain::scope;
use serde_json::{Value, json};

use crate::{
    config::{self, Flag, Sources},
    services::ServiceName,
};

/// What the process answers to its caller.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 done, or stopped when asked to; 1 something failed, and the last line says what; 2 the command line or the
configuration is wrong.";

/// A self-hosted AI platform: one binary, an OpenAI-compatible API, a model inside.
#[derive(Debug, Parser)]
#[command(name = "jan-server", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server.
    Serve(Box<Serve>),
    /// Prints shell lines that point OpenAI's SDKs at the running server: `eval "$(jan-server env)"`.
    Env(Env),
    /// Manages the files of models that run in this process.
    #[command(subcommand)]
    Model(Model),
    /// Looks at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Makes API keys and takes them back without signing in, for who has the data.
    #[command(subcommand)]
    Key(Key),
    /// Manages the keys that sign access tokens.
    #[command(subcommand)]
    SigningKey(SigningKey),
    /// Manages users, for who has the data: also makes the first administrator.
    #[command(subcommand)]
    User(User),
    /// Writes a user's projects and conversations to a file.
    Export(Export),
    /// Gives the projects and conversations of an exported file to a user; those of other services are taken, too.
    Import(Import),
    /// Brings the database to this version's schema, and ends.
    Migrate(Common),
    /// Asks a running server whether it lives: for the probes of containers.
    Healthcheck(Healthcheck),
    /// Prints an OpenAPI document, or all of them in one object by name.
    Openapi {
        /// The service.
        service: Option<ServiceName>,
    },
    /// Prints the version.
    Version,
    /// Prints what is generated into the repository.
    #[command(hide = true)]
    Docs {
        /// What to print.
        page: Page,
    },
}

/// What can be generated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Page {
    /// `docs/reference/config.md`
    Config,
    /// `docs/reference/cli.md`
    Cli,
    /// `docs/reference/access.md`
    Access,
    /// `config/default.toml`
    DefaultConfig,
    /// `config/schema.json`
    ConfigSchema,
}

/// Where the configuration and the data are.
#[derive(Debug, Default, Args)]
pub(crate) struct Common {
    /// The directory with the data; `data` unless configured otherwise.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The configuration file; else `jan.toml` in the data directory or here, if there is one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database's address, such as `postgres://user:password@host/name`.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

/// How to serve.
#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub common: Common,
    /// The address to listen on; 127.0.0.1 unless configured otherwise. 0.0.0.0 lets other machines in.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// Only these services, with commas between them.
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    only: Vec<ServiceName>,
    /// The LLM API's port [default: 8080]. 0 takes a free one, here and below.
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    llm_api_port: Option<u16>,
    /// The Response API's port [default: 8082].
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    response_api_port: Option<u16>,
    /// The Media API's port [default: 8285].
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    media_api_port: Option<u16>,
    /// The port of MCP Tools [default: 8091].
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    mcp_tools_port: Option<u16>,
    /// The Template API's port [default: 8185].
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    template_api_port: Option<u16>,
    /// The gateway's port [default: 8000].
    #[arg(long, value_name = "PORT", help_heading = "Ports")]
    gateway_port: Option<u16>,
    /// An OpenAI-compatible server whose models are served, too. May be repeated. Other users of the machine can read a
    /// command line: a key is better kept in the file.
    #[arg(long, value_name = "URL[,KEY]", help_heading = "Models")]
    upstream: Vec<String>,
    /// A GGUF file to run in this process.
    #[arg(long, value_name = "FILE", help_heading = "Models")]
    model_file: Option<PathBuf>,
    /// Fetches no model files.
    #[arg(long, help_heading = "Models")]
    offline: bool,
    /// Runs no model in this process.
    #[arg(long, help_heading = "Models")]
    no_embedded_model: bool,
    /// Serves the models scripted/…, which answer by rule: for tests and demonstrations.
    #[arg(long, help_heading = "Models")]
    scripted: bool,
    /// The address under which clients reach the server.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The least level that is logged: off, error, warn, info, debug, trace; or by part, as in `info,request=off`.
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// The form of the log: auto, console or json.
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
    /// How long requests may go on after the stop was asked for, in seconds.
    #[arg(long, value_name = "SECONDS")]
    drain_timeout: Option<u64>,
}

/// Managing model files.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Fetches a model: one of the catalogue, or hf:OWNER/REPO/FILE.
    Pull {
        /// Which; the default model when not named.
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Lists the catalogue and what is here of it.
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Removes a model's file.
    #[command(alias = "remove")]
    Rm {
        /// Which.
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Looking at the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Says whether the configuration is right, else what is wrong and where it stands.
    Check(Common),
    /// Prints what is in effect and where it comes from, with secrets masked.
    Show(Common),
    /// Prints the file's JSON schema, for editors.
    Schema,
}

/// Keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes a key and prints it: it is not shown again.
    Create {
        /// What the key is called in lists.
        #[arg(long, default_value = "command line")]
        name: String,
        /// Whose it is, by id, address or username; a new user's of its own when not given.
        #[arg(long)]
        user: Option<String>,
        /// What it is limited to, such as `chat:write`. May be repeated. Not limited when not given, but for `keys:manage`
        /// and `admin`, which a key has only if it names them.
        #[arg(long, value_name = "SCOPE", value_delimiter = ',', value_parser = scopes())]
        scope: Vec<String>,
        /// How long it is good, such as `30d` or `12h`; as long as the configuration allows when not given.
        #[arg(long, value_name = "SPAN", value_parser = span)]
        expires: Option<Duration>,
        #[command(flatten)]
        common: Common,
    },
    /// Lists a user's keys, without their secrets.
    #[command(alias = "ls")]
    List {
        /// Whose, by id, address or username.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Takes a key back, whoever's it is.
    Revoke {
        /// The key's id, which lists show: key_…
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Signing keys. A running server heeds changes within two seconds.
#[derive(Debug, Subcommand)]
pub(crate) enum SigningKey {
    /// Lists the keys of all servers on the database, the newest first, those taken back included.
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Takes a key back that somebody else may have, with every access token that it signed, on all servers; its server
    /// makes another. Sign-ins go on by their refresh tokens.
    Replace {
        /// The key's name, which the list shows; the one of this data directory when not given.
        kid: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Users. A running server heeds changes within two seconds.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Makes an account, and prints it with a password made for it.
    Create {
        /// The address.
        email: String,
        /// The short name; one is made when not given.
        #[arg(long)]
        username: Option<String>,
        /// The full name.
        #[arg(long)]
        name: Option<String>,
        /// Makes the user an administrator.
        #[arg(long)]
        admin: bool,
        /// Reads the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Lists all users, guests included.
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Makes an account's user an administrator.
    Promote {
        /// Who: an id, address or username.
        user: String,
        /// Makes the user an ordinary one again.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Prints a link that proves an account's address: send it there. It counts for a day, once.
    EmailLink {
        /// Who: an id, address or username.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Marks an account's address as verified, on your word.
    VerifyEmail {
        /// Who: an id, address or username.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Gives an account a new password, prints it, and ends all of its sessions. Its API keys stay good unless told
    /// otherwise.
    ResetPassword {
        /// Who: an id, address or username.
        user: String,
        /// Reads the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
        /// Takes back the account's API keys, too: for an account that somebody else was in.
        #[arg(long)]
        revoke_keys: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Keeps a user out, with every key and session.
    Disable {
        /// Who: an id, address or username.
        user: String,
        /// Lets the user in again.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        common: Common,
    },
}

/// What to export.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Whose: an id, address or username.
    pub user: String,
    /// The file, which must not be there yet; standard output when not given.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

/// What to import. It can be done again: what is there already stays as it is.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Whose it is to be: an id, address or username.
    pub user: String,
    /// The file: JSON Lines of `jan-server export`, a conversation that the API exported, or the zip file or
    /// `conversations.json` that `ChatGPT` exports.
    pub file: PathBuf,
    #[command(flatten)]
    pub common: Common,
}

/// Which server to ask for a key.
#[derive(Debug, Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub common: Common,
    /// The server's address; else the one that runs on the data directory.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Which server to ask whether it lives.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    #[command(flatten)]
    pub common: Common,
    /// The server's address; else the one that runs on the data directory.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Asks whether it can serve, which depends on the database, too.
    #[arg(long)]
    pub ready: bool,
}

/// The scopes that there are, with what each lets a key do.
fn scopes() -> PossibleValuesParser {
    PossibleValuesParser::new(scope::names().map(|(name, about)| PossibleValue::new(name).help(about)))
}

fn span(text: &str) -> Result<Duration, String> {
    domain::span::parse(text).ok_or_else(|| "a span such as 30d, 12h or 1h30m is needed".to_owned())
}

impl Common {
    /// The configuration's sources, with these flags and `more`.
    pub(crate) fn sources(&self, more: Vec<Flag>) -> Sources {
        let mut flags = more;
        let mut set = |name, path, value: Option<Value>| {
            flags.extend(value.map(|value| Flag { name, path, value }));
        };
        set("--data", "server.data_dir", self.data.as_ref().map(|path| json!(path)));
        set("--database-url", "database.url", self.database_url.as_ref().map(|url| json!(url)));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

impl Serve {
    /// The configuration's sources, with all flags.
    pub(crate) fn sources(&self) -> Sources {
        let mut flags = Vec::new();
        let mut set = |name, path, value: Option<Value>| {
            flags.extend(value.map(|value| Flag { name, path, value }));
        };
        set("--bind", "server.bind", self.bind.map(|address| json!(address)));
        let only: Vec<&str> = self.only.iter().map(|service| service.name()).collect();
        set("--only", "server.services", (!only.is_empty()).then(|| json!(only)));
        set("--llm-api-port", "ports.llm_api", self.llm_api_port.map(Value::from));
        set("--response-api-port", "ports.response_api", self.response_api_port.map(Value::from));
        set("--media-api-port", "ports.media_api", self.media_api_port.map(Value::from));
        set("--mcp-tools-port", "ports.mcp_tools", self.mcp_tools_port.map(Value::from));
        set("--template-api-port", "ports.template_api", self.template_api_port.map(Value::from));
        set("--gateway-port", "ports.gateway", self.gateway_port.map(Value::from));
        set("--public-url", "server.public_url", self.public_url.as_ref().map(|url| json!(url)));
        set("--log", "log.level", self.log.as_ref().map(|level| json!(level)));
        set("--log-format", "log.format", self.log_format.as_ref().map(|format| json!(format)));
        set("--drain-timeout", "listener.drain_timeout", self.drain_timeout.map(Value::from));
        set("--scripted", "models.scripted", self.scripted.then_some(Value::Bool(true)));
        if cfg!(feature = "embedded") {
            set("--model-file", "embedded.model_file", self.model_file.as_ref().map(|file| json!(file)));
            set("--offline", "embedded.offline", self.offline.then_some(Value::Bool(true)));
            set("--no-embedded-model", "embedded.enabled", self.no_embedded_model.then_some(Value::Bool(false)));
        }
        for upstream in &self.upstream {
            set("--upstream", "upstreams", Some(config::upstream(upstream)));
        }
        self.common.sources(flags)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
