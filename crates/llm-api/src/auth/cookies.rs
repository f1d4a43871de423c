//! Cookies as they stand in a request.

use axum::http::{HeaderMap, header};

/// The values of the cookies of this name; another site's page may have added some.
pub(super) fn named<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let find = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))]);
            named(&headers, "token").map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(find("a=1; token=x=1;b=2"), ["x=1"]);
        assert_eq!(find("token=; token=y"), ["", "y"]);
        for none in ["", "token", "xtoken=1", "Token=1"] {
            assert_eq!(find(none), [""; 0], "{none:?}");
        }
    }
}
