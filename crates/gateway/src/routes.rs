//! Which path leads to which service: the contract's section 6.1 as a table.
//!
//! Rows are tried from the top; the first that covers the path decides. A row covers its path and everything below it,
//! never a longer word: `/llm` covers `/llm/v1/models` and not `/llms`.

use std::borrow::Cow;

// The services behind the gateway, by the names they are mounted under.
const LLM: &str = "llm-api";
const RESPONSE: &str = "response-api";
const MEDIA: &str = "media-api";
const MCP: &str = "mcp-tools";
const TEMPLATE: &str = "template-api";

/// The table.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Row] = &[
    // MCP clients are given one address for everything; it is the service's own `/v1/mcp`.
    Row { path: "/mcp",                   covers: Covers::Itself, to: MCP,      becomes: Path::Is("/v1/mcp") },

    // Each service behind its prefix.
    Row { path: "/llm",                   covers: Covers::Below,  to: LLM,      becomes: Path::Rest },
    Row { path: "/response",              covers: Covers::Below,  to: RESPONSE, becomes: Path::Rest },
    Row { path: "/responses",             covers: Covers::Below,  to: RESPONSE, becomes: Path::Rest },
    Row { path: "/media",                 covers: Covers::Below,  to: MEDIA,    becomes: Path::Rest },
    Row { path: "/mcp",                   covers: Covers::Below,  to: MCP,      becomes: Path::Rest },
    Row { path: "/template",              covers: Covers::Below,  to: TEMPLATE, becomes: Path::Rest },

    // One base address for every service's endpoints, as the guides and OpenAI's SDKs have it.
    Row { path: "/v1/responses",          covers: Covers::Below,  to: RESPONSE, becomes: Path::Same },
    Row { path: "/v1/webhooks",           covers: Covers::Below,  to: RESPONSE, becomes: Path::Same },
    Row { path: "/v1/media",              covers: Covers::Below,  to: MEDIA,    becomes: Path::Same },
    Row { path: "/v1/mcp",                covers: Covers::Below,  to: MCP,      becomes: Path::Same },
    Row { path: "/v1/admin/mcp",          covers: Covers::Below,  to: MCP,      becomes: Path::Same },

    // Whatever is left of the API, signing in, and the gateway's health and document are the LLM API's.
    Row { path: "/v1",                    covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/auth",                  covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/.well-known",           covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/healthz",               covers: Covers::Itself, to: LLM,      becomes: Path::Same },
    Row { path: "/readyz",                covers: Covers::Itself, to: LLM,      becomes: Path::Same },
    Row { path: "/healthcheck",           covers: Covers::Itself, to: LLM,      becomes: Path::Same },
    Row { path: "/api/swagger",           covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/swagger",               covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/docs",                  covers: Covers::Below,  to: LLM,      becomes: Path::Same },
    Row { path: "/openapi.json",          covers: Covers::Itself, to: LLM,      becomes: Path::Same },
];

/// Paths that the gateway answers itself when the service that the table names is not there: a probe asks about this
/// process, whatever runs in it.
pub(crate) const PROBES: [&str; 3] = ["/healthz", "/readyz", "/healthcheck"];

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) path: &'static str,
    covers: Covers,
    pub(crate) to: &'static str,
    becomes: Path,
}

#[derive(Debug)]
enum Covers {
    /// The path alone.
    Itself,
    /// The path and everything below it.
    Below,
}

/// The path that the service sees.
#[derive(Debug)]
enum Path {
    /// The one that came.
    Same,
    /// What follows the row's path.
    Rest,
    /// This one.
    Is(&'static str),
}

impl Row {
    /// The row for a normalized path.
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|row| row.covers(path))
    }

    fn covers(&self, path: &str) -> bool {
        match path.strip_prefix(self.path) {
            Some("") => true,
            Some(rest) => matches!(self.covers, Covers::Below) && rest.starts_with('/'),
            None => false,
        }
    }

    /// What becomes of a path that the row covers; `None` when it stays.
    pub(crate) fn rewrite(&self, path: &str) -> Option<Cow<'static, str>> {
        match self.becomes {
            Path::Same => None,
            Path::Is(other) => Some(Cow::Borrowed(other)),
            Path::Rest => Some(match path.get(self.path.len()..) {
                None | Some("") => Cow::Borrowed("/"),
                Some(rest) => Cow::Owned(rest.to_owned()),
            }),
        }
    }
}
