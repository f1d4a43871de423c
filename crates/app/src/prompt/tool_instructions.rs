//! How and when to use the tools that a request offers.

use minijinja::{Value, context};

use super::module::Module;
use crate::text::one_line;

/// Most of a tool's description that is repeated here, in characters: the whole of it comes with the tool.
const LONGEST: usize = 200;
/// Most tools that are named, and most bytes of what is said of them (contract E12).
const MOST: usize = 64;
const MOST_BYTES: usize = 16 * 1024;

pub(super) const MODULE: Module = Module {
    key: "tool_instructions",
    title: "Tool instructions",
    text: "\
You have tools:
{% for tool in tools %}- {{ tool.name }}{% if tool.description %}: {{ tool.description }}{% endif %}
{% endfor %}Use one when it gives a better answer than you have, with arguments you can justify from the conversation. Do \
not call one for what you already know. If a call fails, say so instead of guessing what it would have returned.",
    variables: &[("tools", "The tools, a list of `name` and `description`.")],
    fill: |inputs| {
        let tools: Vec<Value> = inputs.request.tools.iter().take(MOST).scan(0, |bytes, (name, description)| {
            let description: String = one_line(description.unwrap_or_default()).chars().take(LONGEST).collect();
            *bytes += name.len() + description.len();
            (*bytes <= MOST_BYTES).then(|| context! { name => *name, description })
        }).collect();
        (inputs.settings.enable_tools && !tools.is_empty()).then(|| context! { tools })
    },
};

#[cfg(test)]
mod tests {
    use wire::settings::Settings;

    use super::*;
    use crate::prompt::Facts;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn tools_are_named_unless_the_user_wants_none() {
        let mut inputs = inputs();
        assert_eq!(render(&MODULE, &inputs), None);
        inputs.request.tools = vec![("search", Some("Looks\nthings up")), ("clock", None)];
        assert!(render(&MODULE, &inputs).unwrap().contains("\n- search: Looks things up\n- clock\nUse one"));
        let long = "\u{4e00}".repeat(LONGEST + 1);
        let names: Vec<String> = (0..MOST).map(|n| format!("tool-{n}")).collect();
        let many = names.iter().map(|name| (name.as_str(), Some(&*long))).collect();
        let told = render(
            &MODULE,
            &super::super::Inputs { request: Facts { tools: many, ..inputs.request.clone() }, ..inputs.clone() },
        )
        .unwrap();
        assert!(
            told.contains("- tool-26:") && !told.contains("- tool-27:") && told.len() < MOST_BYTES + 1024,
            "{told}"
        );
        let settings = Settings { enable_tools: false, ..Settings::default() };
        assert_eq!(render(&MODULE, &super::super::Inputs { settings: &settings, ..inputs }), None);
    }
}
