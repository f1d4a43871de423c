//! The contract's section 6.1, row by row: what is asked of the gateway, who is asked, and for what.

use crate::support::{ALL, App};

#[rustfmt::skip]
const ROWS: &[(&str, &str, &str)] = &[
    ("/llm/v1/chat/completions",    "llm-api",      "/v1/chat/completions"),
    ("/llm/auth/guest-login",       "llm-api",      "/auth/guest-login"),
    ("/llm/v1/models/a/b",          "llm-api",      "/v1/models/a/b"),
    ("/llm/v1/models/a%2Fb",        "llm-api",      "/v1/models/a%2Fb"),
    ("/llm/v1/models?limit=1&a=%2F","llm-api",      "/v1/models?limit=1&a=%2F"),
    ("/llm",                        "llm-api",      "/"),
    ("/llm/",                       "llm-api",      "/"),
    ("/v1/chat/completions",        "llm-api",      "/v1/chat/completions"),
    ("/v1/models",                  "llm-api",      "/v1/models"),
    ("/v1/conversations/conv_1/items", "llm-api",   "/v1/conversations/conv_1/items"),
    ("/v1/share/shr_1",             "llm-api",      "/v1/share/shr_1"),
    ("/v1/admin/models",            "llm-api",      "/v1/admin/models"),
    ("/v1/responsesque",            "llm-api",      "/v1/responsesque"),
    ("/auth/api-keys",              "llm-api",      "/auth/api-keys"),
    ("/.well-known/jwks.json",      "llm-api",      "/.well-known/jwks.json"),

    ("/response/v1/responses",      "response-api", "/v1/responses"),
    ("/responses/v1/responses/resp_1", "response-api", "/v1/responses/resp_1"),
    ("/v1/responses",               "response-api", "/v1/responses"),
    ("/v1/responses/resp_1/cancel", "response-api", "/v1/responses/resp_1/cancel"),
    ("/v1/webhooks/whk_1",          "response-api", "/v1/webhooks/whk_1"),

    ("/media/v1/media/upload",      "media-api",    "/v1/media/upload"),
    ("/v1/media/jan_1",             "media-api",    "/v1/media/jan_1"),

    ("/mcp",                        "mcp-tools",    "/v1/mcp"),
    ("/mcp/",                       "mcp-tools",    "/v1/mcp"),
    ("/mcp?session=1",              "mcp-tools",    "/v1/mcp?session=1"),
    ("/mcp/v1/mcp/tools/list",      "mcp-tools",    "/v1/mcp/tools/list"),
    ("/v1/mcp",                     "mcp-tools",    "/v1/mcp"),
    ("/v1/mcp/tools/call",          "mcp-tools",    "/v1/mcp/tools/call"),
    ("/v1/admin/mcp/tools/1",       "mcp-tools",    "/v1/admin/mcp/tools/1"),

    ("/template/v1/sample",         "template-api", "/v1/sample"),
];

#[tokio::test]
async fn each_path_leads_to_its_service() {
    let app = App::new(&ALL);
    for (asked, service, target) in ROWS {
        assert_eq!(app.get(asked).await.reached(), (*service, *target), "{asked}");
    }
}

#[tokio::test]
async fn each_service_has_its_health_and_its_document_behind_its_prefix() {
    let app = App::new(&ALL);
    for (prefix, title) in [
        ("", "LLM API"),
        ("/llm", "LLM API"),
        ("/response", "Response API"),
        ("/responses", "Response API"),
        ("/media", "Media API"),
        ("/mcp", "MCP Tools API"),
        ("/template", "Template API"),
    ] {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(app.get(&format!("{prefix}{path}")).await.head.status, 200, "{prefix}{path}");
        }
        let document = app.get(&format!("{prefix}/openapi.json")).await;
        assert_eq!(document.body["info"]["title"], title, "{prefix}");
        assert_eq!(app.get(&format!("{prefix}/docs")).await.head.headers["content-type"], "text/html; charset=utf-8");
        let swagger = app.get(&format!("{prefix}/api/swagger/")).await;
        assert_eq!(swagger.head.headers["location"], "../../docs", "{prefix}");
    }
}

#[tokio::test]
async fn words_that_only_begin_alike_lead_nowhere() {
    let app = App::new(&ALL);
    for path in [
        "/llms/v1/models",
        "/mcpx",
        "/media2/v1/media",
        "/authx",
        "/v10/models",
        "/healthz/x",
        "/nowhere",
        "/V1/models",
    ] {
        assert_eq!(app.get(path).await.failure(404), "route_not_found", "{path}");
    }
}

#[tokio::test]
async fn the_gateway_says_who_it_is() {
    let answer = App::new(&ALL).get("/").await;
    assert_eq!(answer.body, serde_json::json!({"service": "gateway", "status": "ok"}));
}

#[tokio::test]
async fn a_service_that_does_not_run_is_503_and_the_process_is_well() {
    let app = App::new(&["llm-api"]);
    for path in ["/media/v1/media/upload", "/v1/media/jan_1", "/mcp", "/template/healthz", "/response/v1/responses"] {
        assert_eq!(app.get(path).await.failure(503), "service_unavailable", "{path}");
    }
    assert_eq!(app.get("/v1/models").await.reached().0, "llm-api");

    let app = App::new(&["media-api"]);
    assert_eq!(app.get("/v1/models").await.failure(503), "service_unavailable");
    for probe in ["/healthz", "/readyz", "/healthcheck", "/media/healthz"] {
        assert_eq!(app.get(probe).await.head.status, 200, "{probe}");
    }
}
