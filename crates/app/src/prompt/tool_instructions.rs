//! How and when to use the tools that a request offers.

use minijinja::{Value, context};

use super::module::Module;
use crate::text::one_line;

/// Most of a tool's description that is repeated here, in characters: the whole of it comes with the tool.
const LONGEST: usize = 200;
/// Most tools that are named.
const MOST: usize = 64;

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
        let tools: Vec<Value> = inputs.request.tools.iter().take(MOST).map(|(name, description)| {
            let description: String = one_line(description.unwrap_or_default()).chars().take(LONGEST).collect();
            context! { name => *name, description }
        }).collect();
        (inputs.settings.enable_tools && !tools.is_empty()).then(|| context! { tools })
    },
};

#[cfg(test)]
mod tests {
    use wire::settings::Settings;

    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn tools_are_named_unless_the_user_wants_none() {
        let mut inputs = inputs();
        assert_eq!(render(&MODULE, &inputs), None);
        inputs.request.tools = vec![("search", Some("Looks\nthings up")), ("clock", None)];
        assert!(render(&MODULE, &inputs).unwrap().contains("\n- search: Looks things up\n- clock\nUse one"));
        let settings = Settings { enable_tools: false, ..Settings::default() };
        assert_eq!(render(&MODULE, &super::super::Inputs { settings: &settings, ..inputs }), None);
    }
}
