//! Environment variables beside `JAN_…` that are understood: the standard ones, and those of deployments of the
//! reference server (contract 7) where they mean something here.

/// A variable and the field that it sets.
pub(crate) struct Alias {
    /// The variable.
    pub name: &'static str,
    /// The field.
    pub path: &'static str,
}

const fn alias(name: &'static str, path: &'static str) -> Alias {
    Alias { name, path }
}

/// Of two for one field the later wins.
pub(crate) const ALIASES: &[Alias] = &[
    alias("HTTP_PORT", "ports.llm_api"),
    alias("RESPONSE_API_PORT", "ports.response_api"),
    alias("MEDIA_API_PORT", "ports.media_api"),
    alias("MCP_TOOLS_HTTP_PORT", "ports.mcp_tools"),
    alias("METRICS_PORT", "metrics.port"),
    alias("DB_POSTGRESQL_WRITE_DSN", "database.url"),
    alias("DATABASE_URL", "database.url"),
    alias("API_KEY_PREFIX", "identity.api_key_prefix"),
    alias("API_KEY_DEFAULT_TTL", "identity.api_key_hours"),
    alias("API_KEY_MAX_TTL", "identity.api_key_hours"),
    alias("API_KEY_MAX_PER_USER", "identity.api_keys_per_user"),
    alias("AUTH_ISSUER", "identity.oidc.issuer"),
    alias("ISSUER", "identity.oidc.issuer"),
    alias("OIDC_DISCOVERY_URL", "identity.oidc.discovery_url"),
    alias("AUTH_JWKS_URL", "identity.oidc.jwks_url"),
    alias("JWKS_URL", "identity.oidc.jwks_url"),
    alias("JWKS_REFRESH_INTERVAL", "identity.oidc.jwks_refresh_seconds"),
    alias("AUTH_CLOCK_SKEW", "identity.oidc.clock_skew_seconds"),
    alias("BACKEND_CLIENT_ID", "identity.oidc.client_id"),
    alias("BACKEND_CLIENT_SECRET", "identity.oidc.client_secret"),
    alias("CLIENT", "identity.oidc.clients"),
    alias("ACCOUNT", "identity.oidc.audiences"),
    alias("AUTH_ENABLED", "template_api.auth_enabled"),
    alias("LOG_LEVEL", "log.level"),
    alias("LOG_FORMAT", "log.format"),
    alias("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    alias("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.otlp_headers"),
    alias("OTEL_SERVICE_NAME", "telemetry.service_name"),
    alias("ENVIRONMENT", "telemetry.environment"),
    alias("SHUTDOWN_TIMEOUT", "listener.drain_timeout"),
    alias("OUTBOUND_ALLOW", "outbound.allow"),
];

/// An upstream that two variables name: its address, and its key.
pub(crate) struct UpstreamAlias {
    /// The variable with the address.
    pub url: &'static str,
    /// The variable with the key.
    pub key: &'static str,
    /// What it is called here.
    pub name: &'static str,
}

pub(crate) const UPSTREAM_ALIASES: &[UpstreamAlias] = &[
    UpstreamAlias { url: "VLLM_PROVIDER_URL", key: "VLLM_INTERNAL_KEY", name: "vllm" },
    UpstreamAlias { url: "REMOTE_LLM_PROVIDER_URL", key: "REMOTE_API_KEY", name: "remote" },
];
