//! Everything that comes in, one after the other, whatever is cleared meanwhile.

use std::fmt;
use std::sync::Arc;

use crate::journal::Place;
use crate::request::ReceivedRequest;
use crate::workspace::Workspace;

/// Follows the requests of a sandbox: see [`Sandbox::follow`](crate::Sandbox::follow).
pub struct Follower {
    workspace: Arc<Workspace>,
    place: Place,
}

impl Follower {
    pub(crate) fn new(workspace: Arc<Workspace>) -> Self {
        Self { workspace, place: Place::default() }
    }

    /// Waits for requests that it has not given yet, and gives those that are
    /// [remembered](crate::SandboxBuilder::keep_requests), in order of arrival. Dropping the future
    /// loses none. Where the sandbox has ended, and all that came in was given, it waits for ever.
    pub async fn next(&mut self) -> Vec<ReceivedRequest> {
        self.workspace.journal.follow(&mut self.place).await
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("place", &self.place).finish_non_exhaustive()
    }
}
