//! The headers of every request. The credentials among them can be replaced while requests are under way.

use std::sync::{Arc, PoisonError, RwLock};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

pub(crate) struct Headers {
    /// Each request keeps those that it began with, so that its own secret is cut out of its answer. The lock is
    /// held for as long as it takes to count one more owner, or to change an entry.
    current: RwLock<Arc<HeaderMap>>,
}

impl Headers {
    pub(crate) fn new(headers: HeaderMap) -> Self {
        Headers { current: RwLock::new(Arc::new(headers)) }
    }

    /// Those of a request that begins now.
    pub(crate) fn current(&self) -> Arc<HeaderMap> {
        // A panic elsewhere cannot leave half a map here, so there is nothing to fear from a poisoned lock.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the credentials of the requests that begin from now on.
    pub(crate) fn replace_authorization(&self, authorization: HeaderValue) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Requests in flight keep the old map: then this makes a new one.
        Arc::make_mut(&mut current).insert(AUTHORIZATION, authorization);
    }
}
