//! How to answer with code, where the question looks like one about code.

use minijinja::context;

use super::{module::Module, words::has_any};

const WORDS: &[&str] = &[
    "bug",
    "class",
    "code",
    "compile",
    "compiler",
    "debug",
    "exception",
    "function",
    "git",
    "html",
    "javascript",
    "json",
    "kubernetes",
    "python",
    "refactor",
    "regex",
    "rust",
    "script",
    "sql",
    "stack trace",
    "typescript",
    "unit test",
];

pub(super) const MODULE: Module = Module {
    key: "code_assistant",
    title: "Code assistant",
    text: "\
When you answer with code: put it in fenced blocks that name the language, make it complete enough to run, follow the \
conventions of the code you were shown, and handle the errors that can happen. Explain briefly what is not obvious, and say \
what you did not test.",
    variables: &[],
    fill: |inputs| {
        let question = &inputs.request.question;
        (question.contains("```") || has_any(question, WORDS)).then(|| context! {})
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn questions_about_code_are_told_from_others() {
        let mut inputs = inputs();
        for (question, speaks) in
            [("Fix this Python function", true), ("```\nx\n```", true), ("What is a good wine?", false), ("", false)]
        {
            inputs.request.question = question.to_owned();
            assert_eq!(render(&MODULE, &inputs).is_some(), speaks, "{question}");
        }
    }
}
