//! How to research, for who asks for it.

use minijinja::context;

use super::module::Module;

pub(super) const MODULE: Module = Module {
    key: "deep_research",
    title: "Deep research",
    text: "\
Research this question in depth before you answer.
1. Clarify: if the question can be understood in several ways that would change the answer, ask one short round of \
questions first. Otherwise state how you understand it.
2. Plan: name the parts of the question and what would answer each.
{% if tools %}3. Search: look for several independent sources for each part, primary ones first, and follow up what they \
disagree about.
{% else %}3. Recall: gather what you know of each part. You have no tools to search with: say so, and name what should be \
looked up.
{% endif %}4. Synthesise: weigh the findings against each other; keep facts, inferences and open points apart.
5. Cite: name the source of each claim that is not common knowledge. Never invent a source.",
    variables: &[("tools", "Whether the request offers tools.")],
    fill: |inputs| {
        let request = &inputs.request;
        let wanted = request.deep_research && request.reasons != Some(false);
        wanted.then(|| context! { tools => !request.tools.is_empty() })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn it_waits_to_be_asked_and_knows_whether_it_can_search() {
        let mut inputs = inputs();
        assert_eq!(render(&MODULE, &inputs), None);
        inputs.request.deep_research = true;
        assert!(render(&MODULE, &inputs).unwrap().contains("no tools to search with"));
        inputs.request.tools = vec![("search", None)];
        assert!(render(&MODULE, &inputs).unwrap().contains("independent sources"));
        inputs.request.reasons = Some(false);
        assert_eq!(render(&MODULE, &inputs), None, "the model does not reason");
    }
}
