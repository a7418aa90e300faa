//! Reads the workspace of the credentials.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::DATE;
use serde_json::Value;

use crate::region::Region;

/// The workspace that the credentials belong to.
/// [`HttpTransport::verify`](crate::HttpTransport::verify) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Workspace {
    /// Intercom's id of the workspace (`id_code` on the wire), as in the addresses of its pages.
    pub id: Option<String>,
    /// The workspace's name.
    pub name: Option<String>,
    /// The region of its data, if Intercom names one that this crate knows.
    pub region: Option<Region>,
    /// The time of the response by Intercom's clock: its `Date`, in whole seconds. A program with a
    /// wrong clock sends events with wrong times.
    pub answered_at: Option<SystemTime>,
}

impl Workspace {
    /// Parses the response to `GET /me`: an admin, with the app that the credentials belong to.
    pub(crate) fn parse(body: &[u8], headers: &HeaderMap) -> Option<Self> {
        let me: Value = serde_json::from_slice(body).ok()?;
        let app = me.get("app")?.as_object()?;
        let text = |name| app.get(name).and_then(Value::as_str);
        Some(Workspace {
            id: text("id_code").map(str::to_owned),
            name: text("name").map(str::to_owned),
            region: text("region").and_then(|region| region.parse().ok()),
            answered_at: headers
                .get(DATE)
                .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok()),
        })
    }
}
