//! Answers to what does not reach the edge: what is no HTTP, or is HTTP that could be read in two ways.

use bytes::Bytes;
use domain::{Clock, Error};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::Full;

use crate::{RequestId, error, request_id};

/// HTTP/1.1 wants one `Host`; two, or none, are read differently by different servers (RFC 9112, 3.2), and so is one
/// that names no host.
pub(super) fn check_host<B>(request: &Request<B>) -> Result<(), Error> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (request.version(), hosts.next(), hosts.next()) {
        (_, Some(host), None) if is_host(host) => Ok(()),
        (_, Some(_), None) => Err(Error::invalid("invalid_request", "The Host header names no host.")),
        (version, None, _) if version != Version::HTTP_11 => Ok(()),
        _ => Err(Error::invalid("invalid_request", "A request needs one Host header.")),
    }
}

/// A name or an address and perhaps a port; empty where the address has no authority.
fn is_host(value: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte);
    value.as_bytes().iter().all(is_plain)
}

/// The answer to a request that is refused before the edge; the connection ends with it.
pub(super) fn response(error: &Error) -> Response<Full<Bytes>> {
    let id = RequestId::new(&Clock::System);
    note(error, &id);
    let mut response = Response::new(error::envelope(error, &id).into());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(request_id::HEADER, id.to_header());
    response
}

/// Nothing of the request log: there is no request yet, and whoever sends garbage could fill it.
fn note(error: &Error, id: &RequestId) {
    tracing::debug!(request_id = id.as_str(), code = error.code(), "Refused what is no proper request");
}

/// Our answer where `bytes` is the HTTP library's own to a head that it cannot read: a status and three headers, no
/// body. `None` for anything else.
pub(super) fn instead_of(bytes: &[u8]) -> Option<Bytes> {
    const LONGEST: usize = 256;
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST)?;
    let (status, rest) = text.strip_prefix("HTTP/1.1 ")?.split_once("\r\n")?;
    let headers = rest.strip_suffix("\r\n\r\n")?;
    let is_its_own =
        |line: &str| ["connection: close", "content-length: 0"].contains(&line) || line.starts_with("date: ");
    if !headers.split("\r\n").all(is_its_own) {
        return None;
    }
    let error = match status.get(..3)? {
        "400" => Error::invalid("invalid_request", "This is no well-formed HTTP request."),
        "414" => Error::invalid("uri_too_long", "The address is too long."),
        "431" => Error::invalid("headers_too_large", "The headers are too many or too long."),
        _ => return None,
    };
    let id = RequestId::new(&Clock::System);
    note(&error, &id);
    let body = error::envelope(&error, &id);
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n\
         x-request-id: {id}\r\n\r\n"
    );
    let head = head.replace("content-length: 0", &format!("content-length: {}", body.len()));
    Some([head.as_bytes(), &body].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
                       date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";

    #[test]
    fn only_the_library_s_own_answer_is_replaced() {
        let ours = instead_of(OWN.as_bytes()).unwrap();
        let (head, body) = std::str::from_utf8(&ours).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        assert!(body.contains("headers_too_large"), "{body}");
        let other = OWN.replace("date: ", "x-request-id: req_1\r\ndate: ");
        for not_its_own in [other.as_str(), &OWN.replace("431", "200"), &format!("{OWN}x"), "", "HTTP/1.1 400"] {
            assert!(instead_of(not_its_own.as_bytes()).is_none(), "{not_its_own}");
        }
    }
}
