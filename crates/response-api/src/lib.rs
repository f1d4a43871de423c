//! The Response API: answers with tools, in the foreground and in the background, and webhooks.
//!
//! It has no endpoint of its own yet: it answers health checks, readiness, its document and its metrics, which
//! `http-kit` gives every service, and 404 for everything else.

use http_kit::Service;
use utoipa_axum::router::OpenApiRouter;

/// The service.
pub fn service() -> Service {
    Service::new("response-api", "jan_response_api", OpenApiRouter::new())
        .about("The Response API: answers with tools, in the foreground and in the background, and webhooks.")
        .health(r#"{"status":"healthy"}"#)
}
