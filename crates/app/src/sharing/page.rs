//! A share as a page to read: a head, its messages one by one, and an end.
//!
//! The page has no script and needs none, loads nothing but the share's own images, and works without any of our other
//! pages. Its one style is allowed by its digest, so that the page is the same for everybody and can be kept by caches.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use wire::share::{Message, Part, Snapshot};

use super::{
    markdown::{self, Lines},
    snapshot::{first_text, is_on_the_web},
};
use crate::{
    html::{escape, escaped},
    text::words,
};

/// Changes with what this module writes, so that no cache keeps an older page.
pub(super) const EDITION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");

/// Longest description in a preview, in characters.
const MAX_DESCRIPTION: usize = 160;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --user: #3b82f61f; font: 100%/1.6 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 48rem; padding: 1rem; overflow-wrap: anywhere; }
header { border-bottom: 1px solid var(--line); margin-bottom: 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: .8rem; margin: 0 0 .25rem; opacity: .75; }
h3, h4, h5, h6 { line-height: 1.3; margin: 1.2rem 0 .4rem; }
header p, footer { opacity: .75; font-size: .9rem; }
article { margin: 0 0 1.5rem; }
article.user { background: var(--user); border-radius: .75rem; padding: .75rem 1rem; }
article > :last-child, article p:last-child { margin-bottom: 0; }
article p:first-child { margin-top: 0; }
a { color: LinkText; }
code { font: .9em/1.5 ui-monospace, monospace; background: var(--soft); border-radius: .25rem; padding: .1em .3em; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto; padding: .75rem 1rem; }
pre code { background: none; padding: 0; overflow-wrap: normal; white-space: pre; }
blockquote { border-left: .25rem solid var(--line); margin: 1rem 0; padding-left: 1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
.right { text-align: right; }
.center { text-align: center; }
img { max-width: 100%; height: auto; border-radius: .5rem; }
.sources { font-size: .9rem; }
.k { color: #7c3aed; } .s { color: #15803d; } .n { color: #b45309; } .c { color: #6b7280; font-style: italic; }
footer { border-top: 1px solid var(--line); padding-top: .5rem; }
@media (prefers-color-scheme: dark) {
  .k { color: #c4b5fd; } .s { color: #86efac; } .n { color: #fcd34d; } .c { color: #9ca3af; }
}
@media print { body { max-width: none; } pre code { white-space: pre-wrap; } }
";

/// What a browser may do with the page: show it, and load the share's images.
pub(super) fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    });
    &POLICY
}

/// The page up to its first message.
pub(super) fn head(snapshot: &Snapshot, address: &str) -> String {
    let title = escaped(&snapshot.title);
    let description = escaped(&description(snapshot));
    let mut html = begin(&title);
    html.push_str("<meta name=\"description\" content=\"");
    html.push_str(&description);
    html.push_str("\">\n");
    for (name, value) in [
        ("og:type", "article"),
        ("og:site_name", "Jan"),
        ("og:title", &*title),
        ("og:description", &*description),
        ("og:url", &*escaped(address)),
    ] {
        html.push_str("<meta property=\"");
        html.push_str(name);
        html.push_str("\" content=\"");
        html.push_str(value);
        html.push_str("\">\n");
    }
    html.push_str("<meta name=\"twitter:card\" content=\"summary\">\n</head>\n<body>\n<header>\n<h1>");
    html.push_str(&title);
    html.push_str("</h1>\n<p>A shared conversation");
    if let Some(model) = &snapshot.model_name {
        html.push_str(" with ");
        escape(&mut html, model);
    }
    html.push_str(". What was said later is not part of it.</p>\n</header>\n<main>\n");
    html
}

/// A message. `base` is where the images are, as the page's own address goes on.
pub(super) fn message(message: &Message, base: &str) -> String {
    let (class, who, lines) =
        if message.role == "user" { ("user", "User", Lines::Stand) } else { ("assistant", "Assistant", Lines::Flow) };
    let mut html = format!("<article class=\"{class}\">\n<h2>{who}</h2>\n");
    for part in &message.content {
        add_part(&mut html, part, lines, base);
    }
    html.push_str("</article>\n");
    html
}

/// The page behind its last message.
pub(super) fn end() -> &'static str {
    "</main>\n<footer>Written by a person and a language model, which makes mistakes.</footer>\n</body>\n</html>\n"
}

/// A page for who finds nothing.
pub(super) fn nothing(title: &str, text: &str) -> String {
    let (title, text) = (escaped(title), escaped(text));
    let head = begin(&title);
    format!("{head}</head>\n<body>\n<header><h1>{title}</h1></header>\n<main><p>{text}</p></main>\n</body>\n</html>\n")
}

fn begin(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n"
    )
}

fn add_part(html: &mut String, part: &Part, lines: Lines, base: &str) {
    if let Some(text) = &part.text {
        markdown::render(html, text, lines);
    }
    if let Some(file) = &part.file_ref {
        let number = file.file_id.trim_start_matches("image-");
        html.push_str("<p><img src=\"");
        escape(html, base);
        html.push_str("/images/");
        escape(html, number);
        html.push_str("\" alt=\"An image of the conversation\" loading=\"lazy\"></p>\n");
    }
    if part.annotations.iter().any(|source| is_on_the_web(&source.url)) {
        html.push_str("<p class=\"sources\">Sources:</p>\n<ul class=\"sources\">\n");
        for source in part.annotations.iter().filter(|source| is_on_the_web(&source.url)) {
            html.push_str("<li><a href=\"");
            escape(html, &source.url);
            html.push_str("\" rel=\"noopener noreferrer nofollow ugc\">");
            escape(html, source.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(&source.url));
            html.push_str("</a></li>\n");
        }
        html.push_str("</ul>\n");
    }
}

/// What a preview says: how the conversation begins.
fn description(snapshot: &Snapshot) -> String {
    let text = first_text(&snapshot.items).unwrap_or_default();
    let mut description = String::new();
    let mut length = 0;
    for word in words(text) {
        let more = word.chars().count() + 1;
        if length + more > MAX_DESCRIPTION {
            description.extend(word.chars().take(MAX_DESCRIPTION.saturating_sub(length + 1)));
            description.push('…');
            break;
        }
        length += more;
        description.push_str(word);
        description.push(' ');
    }
    description.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use wire::share::{Citation, FileRef};

    use super::*;
    use crate::sharing::markdown::tests::NASTY;

    fn text(role: &str, text: &str) -> Message {
        Message {
            id: "msg_1".to_owned(),
            kind: "message".to_owned(),
            role: role.to_owned(),
            content: vec![Part { kind: "text".to_owned(), text: Some(text.to_owned()), ..Part::default() }],
            created_at: 0,
        }
    }

    fn snapshot(title: &str, items: Vec<Message>) -> Snapshot {
        Snapshot { title: title.to_owned(), model_name: Some("a/b".to_owned()), created_at: 0, items }
    }

    fn page(snapshot: &Snapshot) -> String {
        let messages: String = snapshot.items.iter().map(|item| message(item, "slug")).collect();
        head(snapshot, "https://jan.example/v1/share/slug") + &messages + end()
    }

    #[test]
    fn a_page_reads_well() {
        let long = "word ".repeat(60);
        let page = page(&snapshot("Sky & sea", vec![text("user", &long), text("assistant", "**Blue**")]));
        for part in [
            "<!doctype html>",
            "<title>Sky &amp; sea</title>",
            "<meta name=\"robots\" content=\"noindex, nofollow\">",
            "<meta property=\"og:title\" content=\"Sky &amp; sea\">",
            "<meta property=\"og:url\" content=\"https://jan.example/v1/share/slug\">",
            "with a/b.",
            "<article class=\"user\">\n<h2>User</h2>",
            "<article class=\"assistant\">\n<h2>Assistant</h2>\n<p><strong>Blue</strong></p>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        let description = page.split("name=\"description\" content=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(description.ends_with("…") && description.chars().count() <= MAX_DESCRIPTION + 1, "{description}");
    }

    #[test]
    fn images_and_sources_are_shown() {
        let mut message = text("assistant", "x");
        message.content[0].annotations = [("https://example.org/?a&b", Some("<A>")), ("javascript:alert(1)", None)]
            .map(|(url, title)| Citation {
                kind: "url_citation".to_owned(),
                url: url.to_owned(),
                title: title.map(str::to_owned),
                start_index: None,
                end_index: None,
            })
            .to_vec();
        message.content.push(Part {
            kind: "image".to_owned(),
            file_ref: Some(FileRef {
                file_id: "image-2".to_owned(),
                mime_type: "image/png".to_owned(),
                name: "image-2.png".to_owned(),
                url: "https://elsewhere.example/\"x".to_owned(),
            }),
            ..Part::default()
        });
        let html = super::message(&message, "slug");
        assert!(html.contains("<a href=\"https://example.org/?a&amp;b\" rel"), "{html}");
        assert!(html.contains(">&lt;A&gt;</a>") && !html.contains("javascript"));
        assert!(html.contains("<img src=\"slug/images/2\"") && !html.contains("elsewhere"));
    }

    #[test]
    fn nothing_from_a_conversation_becomes_markup() {
        for nasty in NASTY {
            let page = page(&snapshot(nasty, vec![text("user", nasty), text("assistant", nasty), text(nasty, "x")]));
            let (before, after) = page.split_once("</style>").unwrap();
            let mine = before.split_once("<style>").unwrap().0.to_owned() + after;
            for tag in mine.split('<').skip(1) {
                let tag = tag.split('>').next().unwrap();
                let name = tag.trim_start_matches('/').split(' ').next().unwrap().to_ascii_lowercase();
                assert!(
                    ![
                        "script", "iframe", "svg", "math", "form", "object", "embed", "base", "link", "input", "img",
                        "button", "template", "noscript", "details", "style", "animate"
                    ]
                    .contains(&&*name),
                    "<{tag}> from {nasty}"
                );
                // Without what stands in quotes, in which nothing means anything.
                let bare: String = tag.split('"').step_by(2).collect();
                for attribute in bare.split(' ').skip(1) {
                    let attribute = attribute.to_ascii_lowercase();
                    assert!(!attribute.starts_with("on") && !attribute.starts_with("style"), "<{tag}> from {nasty}");
                }
                assert!(!tag.to_ascii_lowercase().contains("href=\"javascript"), "<{tag}>");
            }
            assert_eq!(page.matches("</body>").count(), 1);
        }
    }

    #[test]
    fn the_style_is_the_one_that_the_policy_allows() {
        let page = nothing("Gone", "<b>");
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let digest = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert!(policy().contains(&format!("style-src 'sha256-{digest}'")));
        assert!(!policy().contains("unsafe") && !policy().contains("script-src"), "scripts have no source at all");
        assert!(page.contains("&lt;b&gt;") && !page.contains("style="));
    }
}
