//! The table `samples`.

use domain::sample::Sample;

use crate::{Reader, Result, engine::on, text};

const FIRST: &str = "SELECT id, message FROM samples ORDER BY id LIMIT 1";

impl Reader {
    /// The first sample, if there is any.
    pub async fn sample(&mut self) -> Result<Option<Sample>> {
        let row: Option<(String, String)> = on!(self, c => sqlx::query_as(FIRST).fetch_optional(c).await)?;
        row.map(|(id, message)| Ok(Sample { id: text::id(&id, "samples.id")?, message })).transpose()
    }
}
