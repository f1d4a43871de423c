//! Renders texts that administrators write, within bounds.
//!
//! The texts are Jinja without whatever could grow: fuel bounds the work and a writer the result, but neither sees a
//! text that doubles itself in a variable. So a text may test and loop, and that is all: no `set`, no macros, no
//! includes, no joining or repeating of texts by operators, and a handful of filters. A prompt needs no more.

use std::{collections::BTreeSet, io};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters};

/// Most bytes that a text may become.
pub(crate) const MAX_OUTPUT: usize = 64 * 1024;
/// Instructions that a rendering may take.
const FUEL: u64 = 50_000;
/// What a tag may begin with.
const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// An environment in which nothing can be reached but the variables and a few filters.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("default", filters::default);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment
}

/// Whether a text can be used, with these variables and no others.
///
/// # Errors
/// What is wrong with it, in a sentence for its author.
pub(crate) fn check(source: &str, variables: &[&str]) -> Result<(), String> {
    check_syntax(source)?;
    let environment = environment();
    let template = environment.template_from_str(source).map_err(|error| explain(&error))?;
    let unknown: BTreeSet<String> =
        template.undeclared_variables(false).into_iter().filter(|name| !variables.contains(&&**name)).collect();
    match unknown.first() {
        Some(name) if variables.is_empty() => Err(format!("There is no variable {name}; this text has none.")),
        Some(name) => Err(format!("There is no variable {name}; there are {}.", variables.join(", "))),
        None => Ok(()),
    }
}

/// Fills in a text.
///
/// # Errors
/// What is wrong with it, in a sentence for its author.
pub(crate) fn render(source: &str, variables: &Value) -> Result<String, String> {
    check_syntax(source)?;
    let environment = environment();
    let template = environment.template_from_str(source).map_err(|error| explain(&error))?;
    render_template(&template, variables)
}

/// Fills in a text that was checked before.
pub(crate) fn render_template(template: &minijinja::Template<'_, '_>, variables: &Value) -> Result<String, String> {
    let mut output = Bounded(Vec::new());
    match template.render_captured_to(variables.clone(), &mut output) {
        Ok(_) => String::from_utf8(output.0).map_err(|_| "The result is no text.".to_owned()),
        Err(error) => Err(explain(&error)),
    }
}

/// A text that may grow to a bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn explain(error: &Error) -> String {
    let place = error.line().map(|line| format!("Line {line}: ")).unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => format!("{place}the text takes too much work."),
        ErrorKind::WriteFailure => format!("The text becomes longer than {MAX_OUTPUT} bytes."),
        kind => match error.detail() {
            Some(detail) => format!("{place}{kind}: {detail}."),
            None => format!("{place}{kind}."),
        },
    }
}

/// Refuses what the sandbox leaves out. It looks at the text as the template library's own lexer does: tags between
/// `{%` and `%}`, values between `{{` and `}}`, comments, and quoted texts inside of tags and values.
fn check_syntax(source: &str) -> Result<(), String> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("{#") {
            let end = comment.find("#}").ok_or("A comment has no end.")?;
            rest = &comment[end + 2..];
        } else if let Some(tag) = rest.strip_prefix("{%") {
            let (code, after) = inside(tag, "%}")?;
            check_tag(&code)?;
            rest = after;
        } else if let Some(value) = rest.strip_prefix("{{") {
            let (code, after) = inside(value, "}}")?;
            check_operators(&code)?;
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    Ok(())
}

/// The code up to `end`, quoted texts left out, and what comes after.
fn inside<'a>(text: &'a str, end: &str) -> Result<(String, &'a str), String> {
    let mut code = String::new();
    let mut braces = 0_usize;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        // A map's closing brace can stand before the value's own.
        if braces == 0 && text[at..].starts_with(end) {
            return Ok((code, &text[at + end.len()..]));
        }
        match letter {
            '"' | '\'' => {
                loop {
                    match letters.next() {
                        Some((_, '\\')) => _ = letters.next(),
                        Some((_, quote)) if quote == letter => break,
                        Some(_) => {}
                        None => return Err("A quoted text has no end.".to_owned()),
                    }
                }
                code.push('"');
            }
            '{' => {
                braces += 1;
                code.push(letter);
            }
            '}' => {
                braces = braces.saturating_sub(1);
                code.push(letter);
            }
            other => code.push(other),
        }
    }
    Err(format!("There is no {end} to a tag or value."))
}

fn check_tag(code: &str) -> Result<(), String> {
    let code = code.trim_start_matches(['-', '+']).trim();
    let word: String = code.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if !TAGS.contains(&&*word) {
        return Err(format!("The tag {word:?} cannot be used here; there are {}.", TAGS.join(", ")));
    }
    if code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "recursive") {
        return Err("Loops cannot be recursive here.".to_owned());
    }
    // The marks that cut white space are no operators.
    check_operators(code.trim_end_matches(['-', '+']))
}

fn check_operators(code: &str) -> Result<(), String> {
    let code = code.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']);
    match code.chars().find(|c| matches!(c, '~' | '+' | '*')) {
        Some(operator) => Err(format!("The operator {operator} cannot be used here.")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn texts_test_and_loop() {
        let text = "{% if name -%} {{ name | trim | upper }} {%- else %}nobody{% endif %}\
                    {% for x in xs %}[{{ x.a | default('-') }}]{% endfor %}{# not + this #}{{ 'a+b' }} 1+1 {";
        check(text, &["name", "xs"]).unwrap();
        let xs = [context! { a => 1 }, context! {}];
        assert_eq!(render(text, &context! { name => " Ada ", xs }).unwrap(), "ADA[1][-]a+b 1+1 {");
    }

    #[test]
    fn what_could_grow_is_refused() {
        for text in [
            "{% set a = 'x' %}",
            "{%- set a = a ~ a -%}",
            "{% macro m() %}{% endmacro %}",
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends 'x' %}",
            "{% block b %}{% endblock %}",
            "{% filter upper %}x{% endfilter %}",
            "{% with a = name %}{% endwith %}",
            "{% raw %}{{ name ~ name }}{% endraw %}",
            "{% call m() %}{% endcall %}",
            "{% do x() %}",
            "{% for x in xs recursive %}{{ loop(xs) }}{% endfor %}",
            "{{ name ~ name }}",
            "{{ name + name }}",
            "{{ 'x' * 1000000000 }}",
            "{{ {'a': '}}'} * 2 }}",
            "{% if name ~ name %}{% endif %}",
            "{{ range(9) }}",
            "{{ name | replace('a', name) }}",
            "{{ name.upper() }}",
            "{{ name",
            "{{ 'name }}",
            "{# no end",
            "{% if name %}",
            "{{ password }}",
        ] {
            let refused = check(text, &["name", "xs"])
                .and_then(|()| render(text, &context! { name => "n", xs => [1] }).map(drop));
            assert!(refused.is_err(), "{text}");
        }
    }

    #[test]
    fn work_and_results_are_bounded() {
        let xs: Vec<u32> = (0..1_000).collect();
        let nothing = "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}";
        let error = render(nothing, &context! { xs => xs.clone() }).unwrap_err();
        assert!(error.contains("too much work"), "{error}");
        let long = format!("{{% for a in xs %}}{}{{% endfor %}}", "x".repeat(1_000));
        let error = render(&long, &context! { xs }).unwrap_err();
        assert!(error.contains("longer than"), "{error}");
    }

    #[test]
    fn errors_say_where_and_what() {
        assert_eq!(check("{{ nme }}", &["name"]).unwrap_err(), "There is no variable nme; there are name.");
        let error = check("a\n{{ name name }}", &["name"]).unwrap_err();
        assert!(error.starts_with("Line 2: syntax error"), "{error}");
        let error = render("{{ xs.y.z }}", &context! { xs => 1 }).unwrap_err();
        assert!(error.contains("undefined"), "{error}");
    }
}
