//! The part of a request that decides which faults match it.

use std::cell::OnceCell;
use std::time::SystemTime;

use axum::http::{Method, request};
use serde::Deserialize;

use super::scope::{Scope, fold};

/// A request that faults may match.
pub(crate) struct FaultTarget<'a> {
    pub(super) now: SystemTime,
    parts: &'a request::Parts,
    body: &'a [u8],
    /// Read only if a fault is for events of one name.
    event_name: OnceCell<Option<String>>,
}

impl<'a> FaultTarget<'a> {
    pub(crate) fn new(now: SystemTime, parts: &'a request::Parts, body: &'a [u8]) -> Self {
        Self { now, parts, body, event_name: OnceCell::new() }
    }

    pub(super) fn is_in(&self, scope: &Scope) -> bool {
        let path = self.parts.uri.path();
        match scope {
            Scope::Everything => true,
            Scope::Events => self.is_event(),
            Scope::Event(name) => self.is_event() && self.event_name() == Some(name),
            Scope::Contacts => path == "/contacts" || path.starts_with("/contacts/"),
        }
    }

    fn is_event(&self) -> bool {
        self.parts.uri.path() == "/events" && self.parts.method == Method::POST
    }

    fn event_name(&self) -> Option<&String> {
        #[derive(Deserialize)]
        struct EventName {
            event_name: String,
        }
        let read = || {
            let named: EventName = serde_json::from_slice(self.body).ok()?;
            Some(fold(&named.event_name))
        };
        self.event_name.get_or_init(read).as_ref()
    }
}
