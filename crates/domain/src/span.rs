//! Spans of time as people and clients write them.

use std::time::Duration;

/// From here on a number is of nanoseconds: as seconds it would be more than thirty years.
const NANOSECONDS_FROM: u64 = 1_000_000_000;
const DAY: f64 = 24.0 * 60.0 * 60.0;

/// A number alone: seconds; from 10^9 on nanoseconds, as Go writes durations in JSON.
pub fn of_number(number: u64) -> Duration {
    if number < NANOSECONDS_FROM { Duration::from_secs(number) } else { Duration::from_nanos(number) }
}

/// Reads numbers with units, as in `30d`, `720h` or `1h30m`; a number alone is read as [`of_number`] does.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        return Some(of_number(number));
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        seconds += number.parse::<f64>().ok()? * in_seconds(unit)?;
        rest = next;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

fn in_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "d" => DAY,
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(parse("720h"), Some(Duration::from_hours(720)));
        assert_eq!(parse("720h0m0s"), Some(Duration::from_hours(720)));
        assert_eq!(parse("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse("1.5h"), Some(Duration::from_mins(90)));
        assert_eq!(parse("30d"), Some(Duration::from_hours(720)));
        assert_eq!(parse("1500ms"), Some(Duration::from_millis(1_500)));
        assert_eq!(parse("3600"), Some(Duration::from_hours(1)));
        for bad in ["", " ", "h", "-1h", "1h-", "1 h", "1x", "1..5h", "h1", "NaNs", "infs", "1e5s"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&format!("{}h", "9".repeat(400))), None);
    }
}
