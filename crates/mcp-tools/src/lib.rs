//! The MCP Tools API: tools for models, over the Model Context Protocol.
//!
//! It has no endpoint of its own yet: it answers health checks, readiness, its document and its metrics, which
//! `http-kit` gives every service, and 404 for everything else.

use http_kit::Service;
use utoipa_axum::router::OpenApiRouter;

/// The service.
pub fn service() -> Service {
    Service::new("mcp-tools", "jan_mcp", OpenApiRouter::new())
        .about("The MCP Tools API: tools for models, over the Model Context Protocol.")
        .health(r#"{"status":"ok","service":"mcp-tools"}"#)
}
