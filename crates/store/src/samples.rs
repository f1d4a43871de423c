//! The table `samples`.

use domain::sample::Sample;

use crate::{Reader, Result, statement::query, text};

const FIRST: &str = "SELECT id, message FROM samples ORDER BY id LIMIT 1";

impl Reader {
    /// The first sample, if there is any.
    pub async fn sample(&mut self) -> Result<Option<Sample>> {
        let row: Option<(String, String)> = query(FIRST).fetch_optional(self).await?;
        row.map(|(id, message)| Ok(Sample { id: text::id(&id, "samples.id")?, message })).transpose()
    }
}
