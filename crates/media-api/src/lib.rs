//! The Media API: images by upload, by URL and by presigned address.
//!
//! It has no endpoint of its own yet: it answers health checks, readiness, its document and its metrics, which
//! `http-kit` gives every service, and 404 for everything else.

use http_kit::Service;
use utoipa_axum::router::OpenApiRouter;

/// The service.
pub fn service() -> Service {
    Service::new("media-api", "jan_media_api", OpenApiRouter::new())
        .about("The Media API: images by upload, by URL and by presigned address.")
        .health(r#"{"status":"healthy"}"#)
}
