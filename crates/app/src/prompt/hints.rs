//! What a client says about the prompt beside its body: headers, and one query parameter.

use domain::{Error, Result};

use crate::text::one_line;

/// The header that says how the model is to act.
pub const PERSONA: &str = "x-prompt-persona";
/// The header with things to remember for this one chat, separated by semicolons.
pub const MEMORY: &str = "x-prompt-memory";
/// The header of the answer: the modules that spoke.
pub const APPLIED: &str = "x-applied-prompt-modules";

/// Longest persona, in characters.
const LONGEST_PERSONA: usize = 200;
/// Most memories of a header, and the longest one in characters.
const MOST_MEMORIES: usize = 20;
const LONGEST_MEMORY: usize = 500;
/// The only key of a conversation's metadata that is read as memory. Others that begin like it are what they are:
/// metadata comes along with imports and copies, and is no way into the prompt.
const METADATA_KEY: &str = "memory";

/// What a client says about the prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// How the model is to act.
    pub persona: Option<String>,
    /// Things to remember for this chat.
    pub memories: Vec<String>,
    /// The preferred language's tag.
    pub language: Option<String>,
    /// What the prompt may do with the user's memories.
    pub memory: MemoryAccess,
}

/// What a caller may do with the user's memories: an API key may lack the scopes. Nothing unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryAccess {
    /// Whether the model is told of them.
    pub recall: bool,
    /// Whether what the user asks to have remembered is kept.
    pub remember: bool,
}

impl Hints {
    /// Reads the hints as they came; a `persona` of the query wins over the header's.
    ///
    /// # Errors
    /// `invalid_parameter` for what is too long or too much, with the header or parameter as the field.
    pub fn read(
        persona_query: Option<&str>,
        persona: Option<&[u8]>,
        memory: Option<&[u8]>,
        accept_language: Option<&str>,
    ) -> Result<Self> {
        let persona = match (persona_query, persona) {
            (Some(query), _) => Some(("persona", one_line(query))),
            (None, Some(header)) => Some(("X-Prompt-Persona", text(header, "X-Prompt-Persona")?)),
            (None, None) => None,
        };
        if let Some((field, persona)) = &persona
            && persona.chars().count() > LONGEST_PERSONA
        {
            let message = format!("A persona has at most {LONGEST_PERSONA} characters.");
            return Err(Error::invalid_parameter(*field, message));
        }
        let memories = memory.map(|header| memories(&text(header, "X-Prompt-Memory")?)).transpose()?;
        Ok(Self {
            persona: persona.map(|(_, persona)| persona).filter(|persona| !persona.is_empty()),
            memories: memories.unwrap_or_default(),
            language: accept_language.and_then(first_language),
            memory: MemoryAccess::default(),
        })
    }

    /// Adds what a conversation's metadata has for the memory. Too much of it is left out: nobody can mend it in this
    /// request.
    pub fn add_metadata<'a>(&mut self, metadata: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let known = metadata.into_iter().filter(|(key, _)| *key == METADATA_KEY);
        let texts = known.flat_map(|(_, value)| value.split(';')).map(one_line);
        let fitting = texts.filter(|text| !text.is_empty() && text.chars().count() <= LONGEST_MEMORY);
        self.memories.extend(fitting.take(MOST_MEMORIES));
    }

    /// Whether the client asks for a prompt, not merely says in which language.
    pub fn ask(&self) -> bool {
        self.persona.is_some() || !self.memories.is_empty()
    }
}

fn text(header: &[u8], name: &'static str) -> Result<String> {
    let text = std::str::from_utf8(header);
    text.map(one_line).map_err(|_| Error::invalid_parameter(name, format!("{name} is no UTF-8.")))
}

fn memories(header: &str) -> Result<Vec<String>> {
    let error = |message: String| Err(Error::invalid_parameter("X-Prompt-Memory", message));
    let texts: Vec<String> = header.split(';').map(one_line).filter(|text| !text.is_empty()).collect();
    if texts.len() > MOST_MEMORIES {
        return error(format!("X-Prompt-Memory has at most {MOST_MEMORIES} entries."));
    }
    if texts.iter().any(|text| text.chars().count() > LONGEST_MEMORY) {
        return error(format!("An entry of X-Prompt-Memory has at most {LONGEST_MEMORY} characters."));
    }
    Ok(texts)
}

/// The first tag of `Accept-Language`; browsers put the preferred one first. One that is none is left out, since the
/// header is seldom the user's own doing.
fn first_language(header: &str) -> Option<String> {
    let tag = header.split([',', ';']).next()?.trim();
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    (tag.len() <= 35 && tag.split('-').all(is_part)).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let hints = Hints::read(
            None,
            Some(b" a  pirate "),
            Some("likes \u{e9}; ;two\tlines".as_bytes()),
            Some("de-CH, en;q=0.5"),
        );
        let hints = hints.unwrap();
        assert_eq!(hints.persona.as_deref(), Some("a pirate"));
        assert_eq!(hints.memories, ["likes \u{e9}", "two lines"]);
        assert_eq!(hints.language.as_deref(), Some("de-CH"));
        assert_eq!(Hints::read(Some("nurse"), Some(b"pirate"), None, None).unwrap().persona.as_deref(), Some("nurse"));
        assert!(!Hints::read(Some(" "), None, Some(b" ; "), Some("en")).unwrap().ask());
    }

    #[test]
    fn too_much_names_its_header() {
        let long = "x".repeat(501);
        let many = "x;".repeat(21);
        for (query, persona, memory, field) in [
            (Some(&*long), None, None, "persona"),
            (None, Some(long.as_bytes()), None, "X-Prompt-Persona"),
            (None, Some(&b"\xff"[..]), None, "X-Prompt-Persona"),
            (None, None, Some(long.as_bytes()), "X-Prompt-Memory"),
            (None, None, Some(many.as_bytes()), "X-Prompt-Memory"),
        ] {
            let error = Hints::read(query, persona, memory, None).unwrap_err();
            assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some(field)));
        }
    }

    #[test]
    fn odd_languages_are_left_out() {
        for header in ["*", "", "de_DE", "x DROP", "\u{e9}", "verylonglanguage", "en--x"] {
            assert_eq!(first_language(header), None, "{header}");
        }
    }

    #[test]
    fn metadata_is_no_way_into_the_prompt() {
        let mut hints = Hints::default();
        let long = "x".repeat(501);
        hints.add_metadata([
            ("memory_override", "obey"),
            ("memories", "a"),
            ("memory", "likes\ntea; "),
            ("memory", &long),
        ]);
        assert_eq!(hints.memories, ["likes tea"]);
    }
}
