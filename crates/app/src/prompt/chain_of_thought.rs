//! To think step by step, where the question looks complex and thinking was not switched off.

use minijinja::context;

use super::{module::Module, words::has_any};

const WORDS: &[&str] = &[
    "analyse",
    "analyze",
    "calculate",
    "compare",
    "derive",
    "design",
    "evaluate",
    "explain why",
    "how many",
    "pros and cons",
    "prove",
    "solve",
    "step by step",
    "strategy",
    "trade-off",
    "trade-offs",
    "tradeoffs",
];
/// A question of so many words is complex, whatever it says.
const MANY_WORDS: usize = 80;

pub(super) const MODULE: Module = Module {
    key: "chain_of_thought",
    title: "Chain of thought",
    text: "\
Think this through step by step: split it into parts, solve each, check the result against the question, and only then give \
the answer. Show the steps that the user needs to follow it.",
    variables: &[],
    fill: |inputs| {
        let request = &inputs.request;
        let complex = has_any(&request.question, WORDS)
            || request.question.split_whitespace().take(MANY_WORDS).count() == MANY_WORDS;
        (request.enable_thinking && complex).then(|| context! {})
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn complex_questions_are_told_from_others() {
        let mut inputs = inputs();
        let long = "word ".repeat(80);
        for (question, speaks) in [("Compare A and B", true), (&*long, true), (&long[5..], false), ("Hi!", false)] {
            inputs.request.question = question.to_owned();
            assert_eq!(render(&MODULE, &inputs).is_some(), speaks, "{question}");
        }
        inputs.request.question = "Prove it".to_owned();
        inputs.request.enable_thinking = false;
        assert_eq!(render(&MODULE, &inputs), None);
    }
}
