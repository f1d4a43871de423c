//! What the process tells while it runs: log lines on standard error, and traces where a collector is configured.

mod format;
mod named;
mod otlp;
mod writer;

use std::{io::IsTerminal, sync::Arc};

use domain::Secret;
use http::{HeaderName, HeaderValue};
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogOptions, TelemetryOptions};
#[cfg(feature = "embedded")]
use crate::progress::Show;

pub(crate) use otlp::{Traces, request_span};
pub(crate) use writer::LogWriter;

use format::Lines;

/// What was set up; ends with [`Telemetry::close`].
pub(crate) struct Telemetry {
    writer: Arc<LogWriter>,
    /// The traces, where a collector is configured.
    pub(crate) traces: Option<Traces>,
    /// Whether the log is for people.
    pub(crate) for_people: bool,
}

impl Telemetry {
    /// Sets the process's log and traces up. `client` sends the traces.
    pub(crate) fn start(
        log: &LogOptions,
        options: &TelemetryOptions,
        client: &outbound::Client,
    ) -> anyhow::Result<Self> {
        let terminal = std::io::stderr().is_terminal();
        let for_people = match log.format {
            LogFormat::Auto => terminal,
            LogFormat::Console => true,
            LogFormat::Json => false,
        };
        let writer = LogWriter::start()?;
        let lines =
            if for_people { Lines::console(Arc::clone(&writer), terminal) } else { Lines::json(Arc::clone(&writer)) };
        let levels: Targets = log.level.parse()?;
        let traces = Traces::start(options, client)?;
        let wanted = Wanted { levels, spans: traces.is_some() };
        let layer = traces.as_ref().map(Traces::layer);
        Registry::default().with(layer).with(lines).with(wanted).try_init()?;
        Ok(Self { writer, traces, for_people })
    }

    /// How downloads are shown: a bar on a terminal, else lines of the log.
    #[cfg(feature = "embedded")]
    pub(crate) fn show_progress(&self) -> Show {
        if self.for_people && std::io::stderr().is_terminal() {
            Show::Status(Arc::clone(&self.writer))
        } else {
            Show::Log
        }
    }

    /// Writes a text for people between the lines of the log.
    pub(crate) fn say(&self, text: &str) {
        self.writer.write(text.as_bytes());
    }

    /// Sends the traces that are left and writes the lines that are left. Blocks for a bounded time.
    pub(crate) fn close(self) {
        if let Some(traces) = self.traces {
            traces.close();
        }
        self.writer.flush();
    }
}

/// What is of interest at all: the log's levels, and spans where there are traces. Without a collector no span is, so
/// that making one costs a glance at a flag.
///
/// One filter for everything, not one for each layer: the library's filters of layers keep their verdict for the next
/// event of the thread, and lose that event when nobody asks them anew (after `tracing::enabled!`, which sqlx uses).
struct Wanted {
    levels: Targets,
    spans: bool,
}

/// The spans that make traces: those of requests and those of calls of models. The libraries have others.
const SPANS: [&str; 2] = [otlp::TARGET, "gen_ai"];

impl Wanted {
    fn wants(&self, meta: &Metadata<'_>) -> bool {
        if meta.is_span() {
            return self.spans && SPANS.contains(&meta.target());
        }
        self.levels.would_enable(meta.target(), meta.level())
    }
}

impl<S: Subscriber> Layer<S> for Wanted {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.wants(meta) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, meta: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(meta)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = Layer::<S>::max_level_hint(&self.levels)?;
        Some(if self.spans { levels.max(LevelFilter::DEBUG) } else { levels })
    }
}

/// Whether a text names levels.
pub(crate) fn check_levels(text: &str) -> Result<(), String> {
    text.parse::<Targets>()
        .map(drop)
        .map_err(|_| format!("`{text}` is no level (off, error, warn, info, debug, trace), nor levels by part"))
}

/// Headers written as `name=value,name=value`, values percent-encoded, as OpenTelemetry defines it. The error does not
/// show what is secret.
pub(crate) fn headers(text: &Secret) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let pairs = text.expose().split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .enumerate()
        .map(|(index, pair)| {
            let (name, value) = pair.split_once('=')?;
            // A form's value is percent-encoded, too; two signs mean more there.
            let form = format!("v={}", value.trim().replace('+', "%2B").replace('&', "%26"));
            let (_, value) = url::form_urlencoded::parse(form.as_bytes()).next()?;
            let name = name.trim().parse::<HeaderName>().ok()?;
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((name, value)).filter(|_| index < 64)
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "is not of the form name=value,name=value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_with_percent_encoding() {
        let found = headers(&Secret::new("api-key=a%20b+c==, x-other = 1")).unwrap();
        let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(found, [("api-key", "a b+c=="), ("x-other", "1")]);
        let error = headers(&Secret::new("hunter2")).unwrap_err();
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn levels_are_checked() {
        assert!(check_levels("off").is_ok());
        assert!(check_levels("info,request=off,outbound=debug").is_ok());
        assert!(check_levels("loud,request=very").is_err());
    }
}
