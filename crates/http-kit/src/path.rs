//! One spelling for each path, before anything is decided by it (`security.md` G4).
//!
//! Routing, authorization and the log all see the normalized path, so that there is no second way to write a path that
//! one of them reads differently. Normalizing a normalized path changes nothing.
//!
//! - Percent-encoded letters, digits and `-._~` are decoded (RFC 3986, 6.2.2.2), then `.` and `..` are resolved.
//! - Repeated slashes become one and a trailing slash goes, since clients join base addresses carelessly.
//! - `%2F` stays where ids may hold slashes, behind a segment `models` or `by-call-id`, and is refused elsewhere.
//! - Refused: backslashes, control characters, broken percent-encoding, and encoding of what is already encoded.

use std::borrow::Cow;

use domain::{Error, Kind};
use http::{Request, Uri};

/// Longest accepted request target, in bytes (`security.md` G3).
pub const MAX_LENGTH: usize = 8 * 1024;

/// What stands before ids that may hold slashes: those that vendors and models make up.
const SLASHED: [&str; 2] = ["models", "by-call-id"];

/// Refuses an address longer than [`MAX_LENGTH`].
///
/// # Errors
/// `uri_too_long`.
pub fn check_length(uri: &Uri) -> Result<(), Error> {
    if uri.path_and_query().is_none_or(|target| target.as_str().len() <= MAX_LENGTH) {
        return Ok(());
    }
    Err(Error::new(Kind::TooLarge, "uri_too_long", format!("The address is longer than {MAX_LENGTH} bytes.")))
}

/// The path as the client wrote it, in the extensions of a request that was given another.
#[derive(Clone, Debug)]
pub(crate) struct AsSent(pub(crate) String);

/// Gives a request the path that everything after this goes by; its query stays.
///
/// # Errors
/// `invalid_url` for what no address can hold.
pub fn respell<B>(request: &mut Request<B>, path: &str) -> Result<(), Error> {
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let uri = Uri::try_from(target).map_err(|_| Error::invalid("invalid_url", "The address is malformed."))?;
    let sent = std::mem::replace(request.uri_mut(), uri);
    if request.extensions().get::<AsSent>().is_none() {
        request.extensions_mut().insert(AsSent(sent.path().to_owned()));
    }
    Ok(())
}

/// The one spelling of `path`; borrowed when it already is.
///
/// # Errors
/// `invalid_url` for a path that could be read in two ways.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, Error> {
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode_unreserved(path)?;
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let ids_may_hold_slashes = |at: usize| segments[..at].iter().any(|before| SLASHED.contains(before));
    for (at, segment) in segments.iter().enumerate() {
        if segment.contains("%2F") && !ids_may_hold_slashes(at) {
            return Err(ambiguous("an encoded slash"));
        }
    }
    let mut normal = String::with_capacity(decoded.len());
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(Cow::Owned(normal))
}

/// Whether there is nothing to do: the case of nearly every request, decided in one pass.
fn is_normal(path: &[u8]) -> bool {
    if path == b"/" {
        return true;
    }
    let mut previous = 0;
    for &byte in path {
        match byte {
            b'%' | b'\\' | 0..=0x20 | 0x7f => return false,
            b'/' | b'.' if previous == b'/' => return false,
            _ => previous = byte,
        }
    }
    path.first() == Some(&b'/') && previous != b'/'
}

fn decode_unreserved(path: &str) -> Result<String, Error> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(|c: char| matches!(c, '%' | '\\') || c.is_ascii_control() || c == ' ') {
        decoded.push_str(&rest[..at]);
        if rest.as_bytes()[at] != b'%' {
            return Err(ambiguous("a backslash, a space or a control character"));
        }
        let code = rest.get(at + 1..at + 3).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) else {
            return Err(ambiguous("broken percent-encoding"));
        };
        rest = &rest[at + 3..];
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => decoded.push(char::from(byte)),
            b'\\' | 0..=0x1f | 0x7f => return Err(ambiguous("a backslash or a control character")),
            b'%' if rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit) => {
                return Err(ambiguous("double percent-encoding"));
            }
            other => {
                decoded.push('%');
                for digit in [other >> 4, other & 15] {
                    decoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    decoded.push_str(rest);
    Ok(decoded)
}

#[cold]
fn ambiguous(what: &str) -> Error {
    Error::invalid("invalid_url", format!("The path holds {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_spelling() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/v1/models", "/v1/models"),
            ("/v1/models/", "/v1/models"),
            ("/v1//models", "/v1/models"),
            ("/v1/./models", "/v1/models"),
            ("/v1/%2e%2E/admin", "/admin"),
            ("/v1/../../etc", "/etc"),
            ("/v1/%6dodels", "/v1/models"),
            ("/v1/models/a%2fb", "/v1/models/a%2Fb"),
            ("/v1/models/a/b.gguf", "/v1/models/a/b.gguf"),
            ("/v1/conversations/c/items/by-call-id/a%2fb", "/v1/conversations/c/items/by-call-id/a%2Fb"),
            ("/v1/models/..%2f..", "/v1/models/..%2F.."),
            ("/v1/models/100%25", "/v1/models/100%25"),
            ("/v1/models/%C3%A9", "/v1/models/%C3%A9"),
        ] {
            let normal = normalize(path).unwrap();
            assert_eq!(normal, expected, "{path}");
            assert_eq!(normalize(&normal).unwrap(), normal, "normalizing twice changes {path}");
        }
    }

    #[test]
    fn an_address_has_a_length() {
        let check = |length: usize| check_length(&format!("/a?{}", "b".repeat(length - 3)).parse().unwrap());
        assert!(check(MAX_LENGTH).is_ok());
        assert_eq!(check(MAX_LENGTH + 1).unwrap_err().code(), "uri_too_long");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for path in [
            "/v1\\models",
            "/v1/%5cmodels",
            "/%252e%252e/admin",
            "/v1/models/%252F",
            "/a%2fb",
            "/v1/%",
            "/v1/%2",
            "/v1/%zz",
            "/v1/%00",
            "/v1/%0a",
            "/models%2f..%2fadmin",
            "/v1/by-call-id%2fa",
        ] {
            assert_eq!(normalize(path).unwrap_err().code(), "invalid_url", "{path}");
        }
    }
}
