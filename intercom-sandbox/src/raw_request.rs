//! A kept request: target, headers and body in one allocation. The sandbox keeps thousands of
//! requests, and each new one drops an old one.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

const CREDENTIALS: [HeaderName; 2] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION];

/// The bytes of a request: `target`, then a line `name:value` for each header, then the body.
pub(crate) struct RawRequest {
    bytes: Vec<u8>,
    path_ends: u32,
    target_ends: u32,
    headers_end: u32,
}

impl RawRequest {
    /// Copies a request without its credentials. Keeping the original would also keep the whole
    /// buffer of its connection in memory.
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let (path, query) = (uri.path(), uri.query());
        // Nearly always enough: redaction lengthens only a very short credential.
        let headers_length: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        let target_length = path.len() + query.map_or(0, |query| query.len() + 1);
        let mut bytes = Vec::with_capacity(target_length + headers_length + body.len());
        let end = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap_or(u32::MAX);

        bytes.extend_from_slice(path.as_bytes());
        let path_ends = end(&bytes);
        if let Some(query) = query {
            bytes.push(b'?');
            bytes.extend_from_slice(query.as_bytes());
        }
        let target_ends = end(&bytes);
        for (name, value) in headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.push(b':');
            if CREDENTIALS.contains(name) {
                bytes.extend_from_slice(scheme(value));
            } else {
                bytes.extend_from_slice(value.as_bytes());
            }
            bytes.push(b'\n');
        }
        let headers_end = end(&bytes);
        bytes.extend_from_slice(body);
        Self { bytes, path_ends, target_ends, headers_end }
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn path(&self) -> &str {
        text(self.slice(0, self.path_ends))
    }

    pub(crate) fn query(&self) -> Option<&str> {
        text(self.slice(self.path_ends, self.target_ends)).strip_prefix('?')
    }

    /// Returns all headers, in the order in which their names first arrived.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // Names and values contain no line break, and names no colon.
        self.slice(self.target_ends, self.headers_end).split(|&byte| byte == b'\n').filter_map(
            |line| {
                let colon = line.iter().position(|&byte| byte == b':')?;
                Some((text(&line[..colon]), &line[colon + 1..]))
            },
        )
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.slice(self.headers_end, self.bytes.len() as u32)
    }

    fn slice(&self, from: u32, to: u32) -> &[u8] {
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// Returns bytes that were text on arrival.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Returns the kept part of a credential: its scheme, if known.
fn scheme(credential: &HeaderValue) -> &'static [u8] {
    let scheme = credential.as_bytes().split(|&byte| byte == b' ').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        b"Bearer [redacted]"
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        b"Basic [redacted]"
    } else {
        b"[redacted]"
    }
}
