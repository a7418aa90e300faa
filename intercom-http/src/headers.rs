//! The headers of every request. Callers can replace the credentials while requests are in flight.

use std::sync::{Arc, PoisonError, RwLock};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

pub(crate) struct Headers {
    /// Each request keeps its first headers, so that its own secret is redacted from its response.
    /// The lock covers one reference count, or one changed entry.
    current: RwLock<Arc<HeaderMap>>,
}

impl Headers {
    pub(crate) fn new(headers: HeaderMap) -> Self {
        Headers { current: RwLock::new(Arc::new(headers)) }
    }

    /// Returns the headers of a request that begins now.
    pub(crate) fn current(&self) -> Arc<HeaderMap> {
        // A panic cannot leave half a map here, so a poisoned lock is safe.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the credentials of later requests.
    pub(crate) fn replace_authorization(&self, authorization: HeaderValue) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Requests in flight keep the old map: then this clones it.
        Arc::make_mut(&mut current).insert(AUTHORIZATION, authorization);
    }
}
