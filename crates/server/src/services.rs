//! The services: the one list of what can run.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service that this binary can run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServiceName {
    /// Chat, models, sign-in and keys.
    #[serde(alias = "llm")]
    #[value(alias = "llm")]
    LlmApi,
    /// Responses and webhooks.
    #[serde(alias = "response")]
    #[value(alias = "response")]
    ResponseApi,
    /// Images and files.
    #[serde(alias = "media")]
    #[value(alias = "media")]
    MediaApi,
    /// Tools by the Model Context Protocol.
    #[serde(alias = "mcp", alias = "tools")]
    #[value(alias = "mcp", alias = "tools")]
    McpTools,
    /// The smallest service, to copy from.
    #[serde(alias = "template")]
    #[value(alias = "template")]
    TemplateApi,
    /// One door to all of them.
    Gateway,
}

impl ServiceName {
    /// All, in the order in which they are listed.
    pub(crate) const ALL: [Self; 6] =
        [Self::LlmApi, Self::ResponseApi, Self::MediaApi, Self::McpTools, Self::TemplateApi, Self::Gateway];

    /// The name, as in `--only`, `ports.json` and the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LlmApi => "llm-api",
            Self::ResponseApi => "response-api",
            Self::MediaApi => "media-api",
            Self::McpTools => "mcp-tools",
            Self::TemplateApi => "template-api",
            Self::Gateway => "gateway",
        }
    }

    /// The flag that sets its port.
    pub(crate) fn port_flag(self) -> String {
        format!("--{}-port", self.name())
    }

    /// The services that listen, when `only` were asked for: all of them when none was.
    pub(crate) fn selected(only: &[Self]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|service| only.is_empty() || only.contains(service)).collect()
    }

    /// The services that are built. A gateway that was asked for alone is a door to all the others.
    pub(crate) fn built(only: &[Self]) -> Vec<Self> {
        if only == [Self::Gateway] { Self::ALL.to_vec() } else { Self::selected(only) }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_files_and_on_the_command_line_are_the_same() {
        for service in ServiceName::ALL {
            let named: ServiceName = serde_json::from_value(service.name().into()).unwrap();
            assert_eq!(named, service);
            let value = clap::ValueEnum::to_possible_value(&service).unwrap();
            assert_eq!(value.get_name(), service.name());
        }
    }
}
