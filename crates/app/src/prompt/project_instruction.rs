//! The instruction of the conversation's project, ranked above the user's wishes.

use minijinja::context;

use super::module::Module;

pub(super) const MODULE: Module = Module {
    key: "project_instruction",
    title: "Project instruction",
    text: "\
This conversation belongs to a project with the instruction below. It comes before the user's preferences wherever they \
disagree.
{{ instruction }}",
    variables: &[("instruction", "The project's instruction.")],
    fill: |inputs| {
        let instruction = inputs.project_instruction.map(str::trim).filter(|text| !text.is_empty());
        instruction.map(|instruction| context! { instruction })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn the_instruction_is_told_and_is_no_template() {
        let mut inputs = inputs();
        for nothing in [None, Some(" \n")] {
            inputs.project_instruction = nothing;
            assert_eq!(render(&MODULE, &inputs), None);
        }
        inputs.project_instruction = Some("Speak {{ latin }}.\nAlways.");
        assert!(render(&MODULE, &inputs).unwrap().ends_with("\nSpeak {{ latin }}.\nAlways."));
    }
}
