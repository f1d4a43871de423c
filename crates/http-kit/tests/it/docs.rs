//! The document and the page to read it.

use crate::support::App;

#[tokio::test]
async fn the_document_is_served_and_complete() {
    let answer = App::new().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["title"], "Test API");
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], serde_json::json!([{}]));
    // What the edge answers, and what the handler says that it does.
    for status in ["405", "503"] {
        let failure = &document["paths"]["/readyz"]["get"]["responses"][status];
        let shape = &failure["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(shape, "#/components/schemas/ErrorEnvelope", "{status}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let app = App::new();
    let page = app.get("/docs").await;
    assert_eq!(page.status(), 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    // Everything the page names is there, by an address relative to the page.
    let named: Vec<_> = page
        .text
        .split(['"', '\''])
        .filter(|text| [".css", ".js", ".json"].iter().any(|end| text.ends_with(end)))
        .collect();
    assert_eq!(named.len(), 3, "{named:?}");
    for name in named {
        assert!(!name.starts_with('/') && !name.contains("://"), "{name}");
        assert_eq!(app.get(&format!("/{name}")).await.status(), 200, "{name}");
    }
    for asset in ["/docs/page.js", "/docs/page.css"] {
        let text = app.get(asset).await.text;
        assert!(text.len() > 1_000, "{asset}");
        assert!(!text.contains("http://") && !text.contains("https://"), "{asset}");
    }
    assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "the policy forbids inline code");
}

#[tokio::test]
async fn other_spellings_lead_to_the_page() {
    let app = App::new();
    for (path, target) in [
        ("/docs/", "../docs"),
        ("/swagger", "docs"),
        ("/swagger/", "../docs"),
        ("/api/swagger", "../docs"),
        ("/api/swagger/", "../../docs"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 308, "{path}");
        assert_eq!(answer.header("location"), Some(target), "{path}");
    }
}
