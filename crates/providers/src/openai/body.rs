//! Bodies whole, within limits.

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt;
use outbound::ResponseBody;

use crate::{Error, Result};

/// A body whole, at most `limit` bytes of it; one that comes in one piece is not copied.
pub(super) async fn read(response: Response<ResponseBody>, limit: usize) -> Result<Bytes> {
    let too_large = || Error::failed(format!("the upstream's answer is larger than {limit} bytes"));
    let mut body = response.into_body();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Error::failed)?.into_data() else { continue };
        if first.len() + joined.len() + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut first));
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
