//! The date, which no model knows by itself.

use domain::calendar::Date;
use minijinja::context;

use super::module::Module;

pub(super) const MODULE: Module = Module {
    key: "timing",
    title: "Date and language",
    text: "\
The current date is {{ weekday }}, {{ date }} (UTC). What you were trained on is older than that.\
{% if tools %} Check recent facts with the tools you have before you rely on them.\
{% else %} If an answer depends on recent events, say that you may not know of them.{% endif %}\
{% if language %}
The user's client prefers the language {{ language }}. Answer in the language of the question.{% endif %}",
    variables: &[
        ("weekday", "The day of the week, in English."),
        ("date", "The date, such as 15 January 2027."),
        ("iso_date", "The date, such as 2027-01-15."),
        ("language", "The tag of the language that the client prefers, such as de-CH; empty when it does not say."),
        ("tools", "Whether the request offers tools."),
    ],
    fill: |inputs| {
        let day = Date::of(inputs.now);
        Some(context! {
            weekday => day.weekday(),
            date => format!("{} {} {}", day.day, day.month_name(), day.year),
            iso_date => format!("{:04}-{:02}-{:02}", day.year, day.month, day.day),
            language => inputs.request.language.unwrap_or_default(),
            tools => !inputs.request.tools.is_empty(),
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn the_date_is_told_and_what_to_do_about_it() {
        let mut inputs = inputs();
        let text = render(&MODULE, &inputs).unwrap();
        assert!(text.starts_with("The current date is Friday, 15 January 2027 (UTC)."), "{text}");
        assert!(text.contains("may not know") && !text.contains("language"), "{text}");
        inputs.request.tools = vec![("search", None)];
        inputs.request.language = Some("de-CH");
        let text = render(&MODULE, &inputs).unwrap();
        assert!(text.contains("with the tools") && text.contains("de-CH"), "{text}");
    }
}
