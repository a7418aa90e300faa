//! The live page. The program contains its HTML, style sheets and JavaScript modules. The page
//! needs no build step, and a browser loads nothing from elsewhere.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::workspace::Workspace;

/// Only files of the sandbox load or run, whatever an event contains. No other page may frame this
/// one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors \
                      'none'";

/// The headers of the page and its assets.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // A linked site must not learn the page's address.
    (header::REFERRER_POLICY, "no-referrer"),
    // A browser revalidates its copy each time, so that a new version of the program shows at once.
    (header::CACHE_CONTROL, "no-cache"),
];

struct Asset {
    name: &'static str,
    content: &'static str,
}

macro_rules! asset {
    ($name:literal) => {
        Asset { name: $name, content: include_str!($name) }
    };
}

const PAGE: Asset = asset!("page.html");

const ASSETS: &[Asset] = &[
    asset!("icon.svg"),
    asset!("css/theme.css"),
    asset!("css/frame.css"),
    asset!("css/list.css"),
    asset!("css/detail.css"),
    asset!("css/panels.css"),
    asset!("js/main.js"),
    asset!("js/admin.js"),
    asset!("js/announcer.js"),
    asset!("js/budget.js"),
    asset!("js/catalogue.js"),
    asset!("js/chart.js"),
    asset!("js/contacts.js"),
    asset!("js/copy.js"),
    asset!("js/curl.js"),
    asset!("js/detail.js"),
    asset!("js/dom.js"),
    asset!("js/export.js"),
    asset!("js/faults.js"),
    asset!("js/feed.js"),
    asset!("js/filter.js"),
    asset!("js/format.js"),
    asset!("js/frame.js"),
    asset!("js/json.js"),
    asset!("js/keyboard.js"),
    asset!("js/list.js"),
    asset!("js/row.js"),
    asset!("js/store.js"),
    asset!("js/switches.js"),
    asset!("js/tabs.js"),
    asset!("js/values.js"),
];

/// Returns the route of the page.
pub(crate) fn routes() -> Router<Arc<Workspace>> {
    Router::new().route("/", get(async |headers: HeaderMap| PAGE.answer(&headers)))
}

/// Returns the routes of the page's assets, below the path of the admin API.
pub(crate) fn assets() -> Router<Arc<Workspace>> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let path = format!("/assets/{}", asset.name);
        router.route(&path, get(async |headers: HeaderMap| asset.answer(&headers)))
    })
}

impl Asset {
    /// Answers the content, or `304` if the browser has it.
    fn answer(&self, request: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|tags| tags.to_str().ok())
            .flat_map(|tags| tags.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.kind())], self.content).into_response()
        };
        let headers = response.headers_mut();
        headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    /// Returns the `ETag`, which depends only on the content.
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.content.as_bytes());
        format!("\"{:016x}\"", hasher.finish())
    }

    fn kind(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }
}
