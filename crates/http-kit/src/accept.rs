//! What a client would rather read.

use http::{HeaderMap, header};

/// Whether a client is a browser, which wants a page: it says so, and does not like JSON better.
pub fn wants_page(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut page, mut json) = (0.0, 0.0);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if kind.eq_ignore_ascii_case("text/html") {
            page = quality;
        } else if kind.eq_ignore_ascii_case("application/json") {
            json = quality;
        }
    }
    page > 0.0 && page >= json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())])
    }

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
            "application/json;q=0.5, TEXT/HTML;q=0.6",
            "text/html, application/json",
        ] {
            assert!(wants_page(&accepting(browser)), "{browser}");
        }
        for program in
            ["*/*", "application/json", "text/*", "text/html;q=0", "application/json, text/html;q=0.9", "", "x"]
        {
            assert!(!wants_page(&accepting(program)), "{program}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
