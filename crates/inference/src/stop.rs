//! Stop texts: found across the borders of tokens, never shown in part.

/// Lets text through up to the first stop text.
pub(crate) struct StopFilter {
    stops: Vec<String>,
    /// Text that may be the beginning of a stop text.
    held: String,
}

impl StopFilter {
    /// Empty texts never stop anything.
    pub(crate) fn new(mut stops: Vec<String>) -> Self {
        stops.retain(|stop| !stop.is_empty());
        Self { stops, held: String::new() }
    }

    /// The text that can be shown now, and whether a stop text ended it.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, since nothing more follows.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The length of the longest proper beginning of `marker` with which `text` ends.
pub(crate) fn overlap(text: &str, marker: &str) -> usize {
    marker.char_indices().map(|(at, _)| at).rev().find(|at| text.ends_with(&marker[..*at])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut filter = StopFilter::new(stops.iter().map(ToString::to_string).collect());
        let mut shown = Vec::new();
        for piece in pieces {
            let (text, stopped) = filter.push(piece);
            shown.push(text);
            if stopped {
                return (shown, true);
            }
        }
        shown.push(filter.finish());
        (shown, false)
    }

    #[test]
    fn a_stop_across_pieces_is_never_shown() {
        let (shown, stopped) = run(&["END"], &["one E", "N", "D two"]);
        assert!(stopped);
        assert_eq!(shown, ["one ", "", ""]);
    }

    #[test]
    fn text_that_only_begins_like_a_stop_is_shown_in_the_end() {
        let (shown, stopped) = run(&["END", "é!"], &["an E", "Nd é", ""]);
        assert!(!stopped);
        assert_eq!(shown.concat(), "an ENd é");
        assert_eq!(shown[0], "an ");
    }

    #[test]
    fn the_earliest_stop_counts() {
        assert_eq!(run(&["b", "ab"], &["xxabc"]), (vec!["xx".to_owned()], true));
        assert_eq!(run(&[""], &["abc"]).0.concat(), "abc");
    }
}
