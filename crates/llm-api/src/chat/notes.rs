//! What the request's log line and metrics learn about a chat.

use std::sync::Arc;

use http_kit::LogFields;
use wire::openai::chat::Usage;

/// Writes what becomes known of a chat into its request's log line.
pub(crate) struct LogNotes(pub(crate) LogFields);

impl app::chat::Notes for LogNotes {
    fn resolved(&mut self, model: &Arc<str>, provider: &Arc<str>, streams: bool) {
        self.0.set(|fields| {
            fields.model = Some(Arc::clone(model));
            fields.provider = Some(Arc::clone(provider));
            fields.stream = Some(streams);
        });
    }

    fn began(&mut self) {
        self.0.first_token();
    }

    fn took(&mut self, usage: &Usage) {
        self.0.set(|fields| {
            fields.prompt_tokens = Some(usage.prompt_tokens);
            fields.completion_tokens = Some(usage.completion_tokens);
        });
    }
}
