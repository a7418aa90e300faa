//! Waiting for the transport to be changed, whatever that makes of it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use intercom_core::Transport;

/// Gives each change of a transport. Where the transport panics over that, there are no further ones.
pub(crate) struct Changes<'a> {
    transport: &'a dyn Transport,
    next: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
    /// Whether a panic was contained that nobody was told of.
    panicked: bool,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(transport: &'a dyn Transport) -> Self {
        let mut changes = Changes { transport, next: None, panicked: false };
        changes.wait_for_next();
        changes
    }

    /// Whether the transport panicked since this was last asked.
    pub(crate) fn has_panicked(&mut self) -> bool {
        std::mem::take(&mut self.panicked)
    }

    /// Is ready at a change, and can be asked again for the next one.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(next) = &mut self.next else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| next.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                self.wait_for_next();
                Poll::Ready(())
            }
            Err(_) => {
                self.panicked = true;
                self.next = None;
                Poll::Pending
            }
        }
    }

    fn wait_for_next(&mut self) {
        let transport = self.transport;
        let next = catch_unwind(AssertUnwindSafe(|| transport.changed()));
        self.panicked |= next.is_err();
        self.next = next.ok();
    }
}
