//! The form of a log line. As JSON it is an interface, described in `docs/reference/request-log.md`; on a terminal it is
//! for eyes.

use std::{
    cell::RefCell,
    fmt::{self, Write},
    sync::Arc,
};

use domain::{Clock, Timestamp, calendar::Date};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::writer::LogWriter;

/// Writes events as lines.
pub(crate) struct Lines {
    writer: Arc<LogWriter>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Console { colored: bool },
}

impl Lines {
    pub(crate) fn json(writer: Arc<LogWriter>) -> Self {
        Self { writer, form: Form::Json }
    }

    pub(crate) fn console(writer: Arc<LogWriter>, colored: bool) -> Self {
        Self { writer, form: Form::Console { colored } }
    }
}

thread_local! {
    /// A thread's line under construction: one allocation for all of them.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            match self.form {
                Form::Json => json(line, event, Clock::System.now()),
                Form::Console { colored } => console(line, event, Clock::System.now(), colored),
            }
            line.push('\n');
            self.writer.write(line.as_bytes());
        });
    }
}

fn json(line: &mut String, event: &Event<'_>, now: Timestamp) {
    let meta = event.metadata();
    line.push_str("{\"time\":\"");
    push_time(line, now);
    line.push_str("\",\"level\":\"");
    line.push_str(level(*meta.level()));
    line.push_str("\",\"target\":\"");
    line.push_str(meta.target());
    line.push('"');
    event.record(&mut JsonFields(line));
    line.push('}');
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `2026-01-31T23:59:59.123456Z`.
fn push_time(line: &mut String, now: Timestamp) {
    let Date { year, month, day, .. } = Date::of(now);
    push_digits(line, year, 4, '-');
    push_digits(line, month, 2, '-');
    push_digits(line, day, 2, 'T');
    push_clock(line, now);
}

/// `23:59:59.123456Z`.
fn push_clock(line: &mut String, now: Timestamp) {
    let time = now.seconds().rem_euclid(86_400);
    let micros = now.micros().rem_euclid(1_000_000);
    push_digits(line, time / 3600, 2, ':');
    push_digits(line, time / 60 % 60, 2, ':');
    push_digits(line, time % 60, 2, '.');
    push_digits(line, micros, 6, 'Z');
}

/// The last `count` digits, and what stands behind them: every line has these, and the formatting library's padding
/// costs more than the rest of the line.
fn push_digits(line: &mut String, mut number: i64, count: usize, behind: char) {
    let mut digits = [b'0'; 6];
    for digit in digits[..count].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    push_ascii(line, &digits[..count]);
    line.push(behind);
}

/// A number in digits, which the formatting library also takes long over.
fn push_number(line: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    push_ascii(line, &digits[first..]);
}

/// Digits in one go: letter by letter they take several times as long.
fn push_ascii(line: &mut String, digits: &[u8]) {
    line.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// A number as JSON has it. Times have three decimals at most, and a whole number of thousandths needs no search for the
/// shortest digits that mean it.
#[expect(clippy::float_cmp, reason = "equal is what is meant: the thousandths are the value or they are not")]
fn push_float(line: &mut String, value: f64) {
    const MOST: f64 = 1e12;
    let thousandths = (value * 1_000.0).round();
    if !value.is_finite() {
        line.push_str("null");
    } else if (0.0..MOST).contains(&thousandths) && value.is_sign_positive() && thousandths / 1_000.0 == value {
        let thousandths = thousandths as u64;
        push_number(line, thousandths / 1_000);
        let mut rest = thousandths % 1_000;
        let mut place = 100;
        if rest > 0 {
            line.push('.');
        }
        while rest > 0 {
            push_number(line, rest / place);
            rest %= place;
            place /= 10;
        }
    } else {
        _ = write!(line, "{value}");
    }
}

/// An event's fields as members of a JSON object.
struct JsonFields<'a>(&'a mut String);

impl JsonFields<'_> {
    fn name(&mut self, field: &Field) {
        // Names are literals of our own code and need no escape.
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.0.push('"');
        _ = Escaped(self.0).write_str(value);
        self.0.push('"');
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        _ = write!(self.0, "{value}");
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        push_number(self.0, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        push_float(self.0, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        self.0.push_str(if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.0.push('"');
        _ = write!(Escaped(self.0), "{value:?}");
        self.0.push('"');
    }
}

/// Writes text into a JSON string, whoever it comes from.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly always there is nothing to escape, which is seen without taking letters apart.
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            self.0.push_str(text);
            return Ok(());
        }
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c.is_control()) {
            self.0.push_str(&rest[..at]);
            let mut chars = rest[at..].chars();
            match chars.next() {
                Some('"') => self.0.push_str("\\\""),
                Some('\\') => self.0.push_str("\\\\"),
                Some('\n') => self.0.push_str("\\n"),
                Some(control) => write!(self.0, "\\u{:04x}", control as u32)?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.0.push_str(rest);
        Ok(())
    }
}

fn console(line: &mut String, event: &Event<'_>, now: Timestamp, colored: bool) {
    let meta = event.metadata();
    let (color, word) = match *meta.level() {
        Level::ERROR => ("\x1b[31m", "ERROR"),
        Level::WARN => ("\x1b[33m", " WARN"),
        Level::INFO => ("\x1b[32m", " INFO"),
        Level::DEBUG => ("\x1b[34m", "DEBUG"),
        Level::TRACE => ("\x1b[35m", "TRACE"),
    };
    let (color, dim, plain) = if colored { (color, "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    line.push_str(dim);
    push_clock(line, now);
    // Which part it is; the module does not help who watches.
    let part = meta.target().split("::").next().unwrap_or_default();
    _ = write!(line, "{plain} {color}{word}{plain} {dim}{part}{plain}");
    event.record(&mut ConsoleFields { line, dim, plain });
}

/// An event's message, then its fields as `name=value`.
struct ConsoleFields<'a> {
    line: &'a mut String,
    dim: &'static str,
    plain: &'static str,
}

impl Visit for ConsoleFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.line.push(' ');
        if field.name() != "message" {
            _ = write!(self.line, "{}{}={}", self.dim, field.name(), self.plain);
        }
        _ = write!(Visible(self.line), "{value:?}");
    }
}

/// Writes text onto a terminal without what could steer it.
struct Visible<'a>(&'a mut String);

impl Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if char.is_control() {
                write!(self.0, "{}", char.escape_default())?;
            } else {
                self.0.push(char);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    #[test]
    fn dates_are_right() {
        let text = |seconds: i64| {
            let mut text = String::new();
            push_time(&mut text, Timestamp::from_micros(seconds * 1_000_000 + 7));
            text
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.000007Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.000007Z");
        assert_eq!(text(1_798_761_599), "2026-12-31T23:59:59.000007Z");
        assert_eq!(text(4_107_542_400), "2100-03-01T00:00:00.000007Z");
    }

    #[test]
    fn numbers_are_as_the_formatting_library_has_them() {
        let same = |value: f64| {
            let mut text = String::new();
            push_float(&mut text, value);
            assert_eq!(text, value.to_string());
        };
        let thousandths = (0..3_000).chain([9_999, 10_000, 123_456_789, 1_000_000_000_001, u64::from(u32::MAX)]);
        thousandths.for_each(|thousandths| same(thousandths as f64 / 1_000.0));
        for value in
            [0.0, -0.0, -1.5, 0.0005, 0.00049, 1.0005, 0.1 + 0.2, 1e300, 1e-300, f64::MIN_POSITIVE, 1e12, 5e8 + 0.0001]
        {
            same(value);
        }
        for number in [0, 9, 10, 12_345, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }

    /// What a layer that formats with `form` makes of the events of `work`.
    fn lines(form: fn(&mut String, &Event<'_>), work: impl FnOnce()) -> Vec<String> {
        struct Keep(fn(&mut String, &Event<'_>), Arc<Mutex<Vec<String>>>);
        impl<S: Subscriber> Layer<S> for Keep {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let mut line = String::new();
                (self.0)(&mut line, event);
                self.1.lock().unwrap().push(line);
            }
        }
        let kept = Arc::default();
        tracing::subscriber::with_default(registry().with(Keep(form, Arc::clone(&kept))), work);
        kept.lock().unwrap().clone()
    }

    #[test]
    fn a_line_is_one_json_object_whatever_it_holds() {
        let hostile = "a\"b\\c\nd\u{1b}[31m\u{7f}\u{85}é";
        let found = lines(
            |line, event| json(line, event, Timestamp::from_micros(0)),
            || tracing::warn!(target: "request", text = hostile, shown = ?hostile, n = -1, u = 2_u64, f = 0.5, nan = f64::NAN, yes = true, none = None::<u64>, "It {}", "said"),
        );
        let value: serde_json::Value = serde_json::from_str(&found[0]).unwrap();
        assert_eq!(value["text"], hostile);
        assert_eq!(value["message"], "It said");
        assert_eq!((&value["n"], &value["u"], &value["f"]), (&(-1).into(), &2.into(), &0.5.into()));
        assert_eq!((&value["nan"], &value["yes"]), (&serde_json::Value::Null, &true.into()));
        assert_eq!(value.get("none"), None);
        assert_eq!((&value["level"], &value["target"]), (&"warn".into(), &"request".into()));
        assert!(!found[0].contains(['\n', '\u{1b}']));
    }

    #[test]
    fn a_terminal_is_not_steered() {
        let found = lines(
            |line, event| console(line, event, Timestamp::from_micros(0), false),
            || tracing::info!(target: "t::inner", path = "\u{1b}]0;owned\u{7}\nERROR fake", "Hello"),
        );
        assert_eq!(found[0], "00:00:00.000000Z  INFO t Hello path=\\u{1b}]0;owned\\u{7}\\nERROR fake");
    }
}
