//! What the clients of a sandbox may claim of the machine: how it is settled.

use std::time::Duration;

use crate::builder::SandboxBuilder;

/// # Clients that behave badly
impl SandboxBuilder {
    /// The size of the largest body that is accepted, in bytes. Intercom answers `413` beyond a size
    /// that it does not tell. Default: 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// How long a body may take to come in. It is answered with `408` then. Default: 30 seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.settings.body_timeout = timeout;
        self
    }

    /// How long a connection may do nothing, or take to bring the head of its next request, or leave
    /// an answer unread. It is closed then, at the latest after twice the time; with `408` where a
    /// head has begun. Default: 60 seconds.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// How many connections are open at a time. Those beyond are answered with `503` and closed.
    /// Default: 4,096.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// How many bytes of bodies may be on their way in at a time. One that comes in pieces, and would
    /// be beyond it, is answered with `503` and the code `too_many_bodies`. Default: 256 MiB.
    pub fn max_incoming_bytes(mut self, bytes: usize) -> Self {
        self.incoming_bytes = bytes;
        self
    }
}
