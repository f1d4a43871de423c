//! Days of the Gregorian calendar, in UTC, and their English names.

use crate::Timestamp;

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
/// From the day of the epoch on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    since_epoch: i64,
    /// The year, as in 2026.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
}

impl Date {
    /// The day of a moment.
    pub fn of(time: Timestamp) -> Self {
        let since_epoch = time.seconds().div_euclid(86_400);
        // Years that begin in March have their leap day at the end, and repeat after 400.
        let days = since_epoch + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = (from_march + 2) % 12 + 1;
        Self {
            since_epoch,
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    /// The name of its day of the week, as in `Thursday`.
    pub fn weekday(self) -> &'static str {
        WEEKDAYS[self.since_epoch.rem_euclid(7) as usize]
    }

    /// The name of its month, as in `January`.
    pub fn month_name(self) -> &'static str {
        MONTHS[(self.month - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_right() {
        for (seconds, weekday, month_name, date) in [
            (0, "Thursday", "January", "1970-01-01"),
            (951_782_399, "Monday", "February", "2000-02-28"),
            (951_782_400, "Tuesday", "February", "2000-02-29"),
            (4_107_542_399, "Sunday", "February", "2100-02-28"),
            (4_107_542_400, "Monday", "March", "2100-03-01"),
            (-1, "Wednesday", "December", "1969-12-31"),
        ] {
            let day = Date::of(Timestamp::from_seconds(seconds));
            let text = format!("{:04}-{:02}-{:02}", day.year, day.month, day.day);
            assert_eq!((day.weekday(), day.month_name(), &*text), (weekday, month_name, date), "{seconds}");
        }
    }
}
