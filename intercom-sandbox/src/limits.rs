//! Limits on what clients can take of the machine.

use std::time::Duration;

use serde::Serialize;

use crate::seconds::in_seconds;

/// Limits on what clients can take of the machine: see [`SandboxBuilder::limits`].
///
/// ```
/// use intercom_sandbox::{Limits, Sandbox};
///
/// let builder = Sandbox::builder().limits(Limits::default().body_limit(64 << 10).max_connections(8));
/// ```
///
/// [`SandboxBuilder::limits`]: crate::SandboxBuilder::limits
#[derive(Debug, Clone, Copy, Serialize)]
#[must_use = "limits do nothing until a builder has them"]
pub struct Limits {
    pub(crate) body_limit: usize,
    #[serde(serialize_with = "in_seconds")]
    pub(crate) body_timeout: Duration,
    #[serde(serialize_with = "in_seconds")]
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_incoming_bytes: usize,
    pub(crate) max_contacts: usize,
    pub(crate) max_contact_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            max_connections: 4096,
            max_incoming_bytes: 256 << 20,
            max_contacts: 100_000,
            max_contact_bytes: 128 << 20,
        }
    }
}

impl Limits {
    /// Sets the size of the largest accepted body, in bytes. Intercom answers `413` beyond a size
    /// that it does not document. Default: 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets the time for a body to arrive. The answer to a slower body is `408`. Default: 30
    /// seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets how long a connection can be idle, take for the head of its next request, or leave an
    /// answer unread. The server closes the connection within twice this time, with `408` if a head
    /// has begun. Default: 60 seconds.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets the highest number of open connections. A further connection gets `503` and closes.
    /// Default: 4,096.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets how many bytes of bodies the sandbox receives at once, from all clients together. A
    /// body that arrives in pieces and does not fit gets `503` and the code `too_many_bodies`.
    /// Default: 256 MiB.
    pub fn max_incoming_bytes(mut self, bytes: usize) -> Self {
        self.max_incoming_bytes = bytes;
        self
    }

    /// Sets the highest number of contacts, including merged ones. Creating another gets `422` and
    /// the code `contact_limit_reached`, which Intercom does not have. The builder and
    /// [`Sandbox::add_contact`](crate::Sandbox::add_contact) can exceed the limit, and their
    /// contacts count. Default: 100,000.
    pub fn max_contacts(mut self, contacts: usize) -> Self {
        self.max_contacts = contacts;
        self
    }

    /// Sets the highest number of bytes for the details of all contacts. A request beyond it gets
    /// the answer to [one contact too many](Self::max_contacts). Default: 128 MiB.
    pub fn max_contact_bytes(mut self, bytes: usize) -> Self {
        self.max_contact_bytes = bytes;
        self
    }
}
