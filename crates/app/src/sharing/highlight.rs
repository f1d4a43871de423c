//! Code in colours: comments, strings, numbers and the words of the language.
//!
//! Our own on purpose. A highlighter with real grammars was measured: it adds 2.2 MB to the binary, 15 MB to the process
//! after its first page, and takes 70 ms for 18 KB of code, which a page of shared code would let anybody ask for. This
//! one is a pass over the text by a table. It knows no grammar and colours now and then what it should not; what it
//! writes is the text, escaped, with our four tags.

use crate::html::escape;

/// Longer code is shown plain, in bytes.
const MAX_CODE: usize = 256 * 1024;

/// What is to be known of a family of languages.
struct Family {
    /// As they stand behind the fence.
    names: &'static [&'static str],
    /// What begins a comment that ends with the line.
    line: &'static [&'static str],
    /// What encloses a comment.
    block: Option<(&'static str, &'static str)>,
    /// What encloses a text; three times too, if `triple`.
    quotes: &'static [char],
    triple: bool,
    /// With a space between; in lower case where case does not matter.
    words: &'static str,
    any_case: bool,
}

const PLAIN: Family =
    Family { names: &[], line: &[], block: None, quotes: &['"', '\''], triple: false, words: "", any_case: false };

const SLASHES: Family = Family { line: &["//"], block: Some(("/*", "*/")), ..PLAIN };

const FAMILIES: &[Family] = &[
    Family {
        names: &["rust", "rs"],
        // A quote may be a lifetime's.
        quotes: &['"'],
        words: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match \
            mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
        ..SLASHES
    },
    Family {
        names: &["python", "py", "python3"],
        line: &["#"],
        triple: true,
        words: "and as assert async await break class continue def del elif else except False finally for from global if \
            import in is lambda match None nonlocal not or pass raise return self True try while with yield",
        ..PLAIN
    },
    Family {
        names: &["javascript", "js", "jsx", "mjs", "typescript", "ts", "tsx", "node"],
        quotes: &['"', '\'', '`'],
        words: "any as async await boolean break case catch class const continue default delete do else enum export \
            extends false finally for from function if implements import in instanceof interface let new null number \
            of private public readonly return static string super switch this throw true try type typeof undefined \
            var void while yield",
        ..SLASHES
    },
    Family {
        names: &[
            "c", "h", "cpp", "c++", "cc", "hpp", "java", "kotlin", "kt", "csharp", "cs", "c#", "go", "golang", "swift",
            "php", "dart", "scala", "objc", "zig", "proto",
        ],
        words: "abstract auto bool boolean break byte case catch chan char class const constexpr continue default defer \
            delete do double else enum extends extern false final finally float for foreach fun func function go \
            goto if implements import include int interface internal let long map namespace new nil null nullptr \
            object override package private protected public range return select short signed sizeof static string \
            struct super switch template this throw throws true try type typedef typename union unsigned use using \
            val var virtual void volatile when where while yield",
        ..SLASHES
    },
    Family {
        names: &["bash", "sh", "shell", "zsh", "console", "fish", "dockerfile", "docker", "makefile", "make"],
        line: &["#"],
        words: "case cd do done echo elif else esac exit export fi for function if in local return set then until while \
            sudo FROM RUN COPY CMD ENTRYPOINT ENV",
        ..PLAIN
    },
    Family {
        names: &["sql", "sqlite", "postgres", "postgresql", "mysql"],
        line: &["--"],
        block: Some(("/*", "*/")),
        words: "add all alter and as asc begin between by case check column commit constraint create cross default \
            delete desc distinct drop else end exists false foreign from full group having if in index inner insert \
            into is join key left like limit not null offset on or order outer primary references returning right \
            rollback select set table then true union unique update using values view when where with",
        any_case: true,
        ..PLAIN
    },
    Family {
        names: &["ruby", "rb", "elixir", "ex", "perl", "pl", "r", "julia", "jl"],
        line: &["#"],
        words: "and begin break case class def defmodule do else elsif end ensure false for function if in module my \
            next nil not or require rescue return self sub then true unless until use when while yield",
        ..PLAIN
    },
    Family { names: &["json", "jsonc", "json5"], quotes: &['"'], words: "true false null", ..SLASHES },
    Family {
        names: &["yaml", "yml", "toml", "ini", "conf", "properties", "env", "hcl", "terraform"],
        line: &["#", ";"],
        words: "true false null yes no",
        ..PLAIN
    },
    Family { names: &["css", "scss", "less"], block: Some(("/*", "*/")), words: "important", ..PLAIN },
    Family { names: &["html", "xml", "svg", "vue", "xhtml"], block: Some(("<!--", "-->")), ..PLAIN },
    Family {
        names: &["lua", "haskell", "hs"],
        line: &["--"],
        words: "and break case data do else elseif end false for function if import in instance let local module nil not \
            of or repeat return then true type until where while",
        ..PLAIN
    },
];

/// Adds `code` as HTML.
pub(super) fn render(html: &mut String, code: &str, language: &str) {
    let language = language.to_ascii_lowercase();
    let family = FAMILIES.iter().find(|family| family.names.contains(&&*language));
    match family {
        Some(family) if code.len() <= MAX_CODE => colour(html, code, family),
        _ => escape(html, code),
    }
}

fn colour(html: &mut String, code: &str, family: &Family) {
    let mut rest = code;
    // What has no colour, since the last that had one.
    let mut plain = code;
    while let Some(first) = rest.chars().next() {
        let (class, length) = match token(rest, first, family) {
            (None, length) => {
                rest = &rest[length..];
                continue;
            }
            (Some(class), length) => (class, length),
        };
        escape(html, &plain[..plain.len() - rest.len()]);
        html.push_str("<span class=\"");
        html.push_str(class);
        html.push_str("\">");
        escape(html, &rest[..length]);
        html.push_str("</span>");
        rest = &rest[length..];
        plain = rest;
    }
    escape(html, plain);
}

/// What the text begins with: its class, if it has one, and its length, which is never 0.
fn token(text: &str, first: char, family: &Family) -> (Option<&'static str>, usize) {
    if family.line.iter().any(|begin| text.starts_with(begin)) {
        return (Some("c"), text.find('\n').unwrap_or(text.len()));
    }
    if let Some((begin, end)) = family.block
        && let Some(inner) = text.strip_prefix(begin)
    {
        return (Some("c"), inner.find(end).map_or(text.len(), |at| begin.len() + at + end.len()));
    }
    if family.quotes.contains(&first) {
        return (Some("s"), string(text, first, family.triple));
    }
    if first.is_ascii_digit() {
        return (Some("n"), word(text, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    }
    if first.is_alphabetic() || first == '_' {
        let length = word(text, |c| c.is_alphanumeric() || c == '_');
        let is_known = |word: &str| family.words.split(' ').any(|known| known == word);
        let found = &text[..length];
        let known = if family.any_case { is_known(&found.to_ascii_lowercase()) } else { is_known(found) };
        return (known.then_some("k"), length);
    }
    (None, first.len_utf8())
}

fn word(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The length of a text in quotes. One that is not closed ends with its line, or with the code where it may have lines.
fn string(text: &str, quote: char, triple: bool) -> usize {
    let three: String = std::iter::repeat_n(quote, 3).collect();
    if triple && let Some(inner) = text.strip_prefix(&*three) {
        return inner.find(&*three).map_or(text.len(), |at| at + 6);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(code: &str, language: &str) -> String {
        let mut html = String::new();
        render(&mut html, code, language);
        html
    }

    #[test]
    fn words_texts_numbers_and_comments_have_colours() {
        assert_eq!(
            html("let x = 0x1F; // <b>\n'a", "Rust"),
            "<span class=\"k\">let</span> x = <span class=\"n\">0x1F</span>; <span class=\"c\">// &lt;b&gt;</span>\n&#39;a"
        );
        assert_eq!(
            html("'''a\n''' # b", "py"),
            "<span class=\"s\">&#39;&#39;&#39;a\n&#39;&#39;&#39;</span> <span class=\"c\"># b</span>"
        );
        assert_eq!(
            html("SELECT 'it\\'s'", "sql"),
            "<span class=\"k\">SELECT</span> <span class=\"s\">&#39;it\\&#39;s&#39;</span>"
        );
        assert_eq!(html("`a\nb", "js"), "<span class=\"s\">`a\nb</span>");
        assert_eq!(html("\"a\nb", "c"), "<span class=\"s\">&quot;a</span>\nb");
        assert_eq!(html("/* a", "c"), "<span class=\"c\">/* a</span>");
    }

    #[test]
    fn the_text_is_the_same_whatever_the_language() {
        let code =
            "<!-- a --> \"b\\\" 'c' `d` # e\n// f /* g */ -- h\n1.5e3 \u{e9}t\u{e9} self <script>\u{1f469}\"\"\" '''";
        let names = FAMILIES.iter().flat_map(|family| family.names).chain(&["", "klingon", "\"><script>"]);
        for name in names {
            let html = html(code, name);
            let bare: String = html
                .split("<span class=\"")
                .enumerate()
                .map(|(at, part)| if at == 0 { part } else { &part[3..] })
                .collect::<String>()
                .replace("</span>", "");
            let mut plain = String::new();
            escape(&mut plain, code);
            assert_eq!(bare, plain, "{name}");
        }
    }

    #[test]
    fn long_code_is_plain() {
        let code = "let ".repeat(MAX_CODE / 4 + 1);
        assert_eq!(html(&code, "rust"), code);
    }
}
