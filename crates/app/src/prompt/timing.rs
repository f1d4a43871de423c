//! The date, which no model knows by itself.

use domain::Timestamp;
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
        ("date", "The date, such as 26 November 2026."),
        ("iso_date", "The date, such as 2026-11-26."),
        ("language", "The tag of the language that the client prefers, such as de-CH; empty when it does not say."),
        ("tools", "Whether the request offers tools."),
    ],
    fill: |inputs| {
        let day = Day::of(inputs.now);
        Some(context! {
            weekday => day.weekday(),
            date => format!("{} {} {}", day.of_month, day.month_name(), day.year),
            iso_date => format!("{:04}-{:02}-{:02}", day.year, day.month, day.of_month),
            language => inputs.request.language.unwrap_or_default(),
            tools => !inputs.request.tools.is_empty(),
        })
    },
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A day of the Gregorian calendar, in UTC.
struct Day {
    since_epoch: i64,
    year: i64,
    month: i64,
    of_month: i64,
}

impl Day {
    /// Years are counted from March here, so that a leap day is the last of its year.
    fn of(time: Timestamp) -> Self {
        let since_epoch = time.seconds().div_euclid(86_400);
        let days = since_epoch + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            since_epoch,
            year: year + era * 400 + i64::from(month <= 2),
            month,
            of_month: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    fn weekday(&self) -> &'static str {
        WEEKDAYS[self.since_epoch.rem_euclid(7) as usize]
    }

    fn month_name(&self) -> &'static str {
        MONTHS[(self.month - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::module::tests::{inputs, render};

    #[test]
    fn days_are_right() {
        for (seconds, weekday, date) in [
            (0, "Thursday", "1970-01-01"),
            (951_782_399, "Monday", "2000-02-28"),
            (951_782_400, "Tuesday", "2000-02-29"),
            (4_107_542_399, "Sunday", "2100-02-28"),
            (4_107_542_400, "Monday", "2100-03-01"),
            (-1, "Wednesday", "1969-12-31"),
        ] {
            let day = Day::of(Timestamp::from_seconds(seconds));
            let text = format!("{:04}-{:02}-{:02}", day.year, day.month, day.of_month);
            assert_eq!((day.weekday(), &*text), (weekday, date), "{seconds}");
        }
    }

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
