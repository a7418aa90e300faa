//! The future of a send.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::SendError;
use crate::event_name::EventName;
use crate::invalid::InvalidEvent;
use crate::receipt::Receipt;

/// The future that `send` returns. It holds the encoded event, and awaiting it sends the event.
///
/// The future borrows nothing from the event or the tracker, so you can spawn it.
///
/// # Dropping it
///
/// If you drop the future before its first poll, it sends nothing. It logs a warning with the
/// event's name.
///
/// If you drop it later, as a timeout around it does, it may have sent the event. To stop waiting
/// but still send, spawn the future, and let the timeout drop the task's handle:
///
/// ```
/// use std::time::Duration;
///
/// # use intercom_core::testing::RecordingTransport;
/// # use intercom_core::{Contact, DynamicEvent, SendError, Tracker};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SendError> {
/// # let tracker = Tracker::new(RecordingTransport::new());
/// # let event = DynamicEvent::new("project_created")?;
/// let sending = tokio::spawn(tracker.for_contact(Contact::user_id(42)).send(&event));
/// if tokio::time::timeout(Duration::from_secs(1), sending).await.is_err() {
///     // The task goes on, and still sends the event.
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Sending again
///
/// A second call of `send` makes a second event. To retry an attempt, encode the event once with
/// [`Tracker::prepare`](crate::Tracker::prepare), and send a clone each time:
/// [`Tracker::send_prepared`](crate::Tracker::send_prepared) shows how. Intercom mostly ignores a
/// repetition with the same second. A `Delivery` of `intercom-delivery` retries by itself. If it
/// accepts one event twice, it counts two events.
///
/// # Panics
///
/// Panics when polled after completion.
#[must_use = "an event is sent when this is awaited"]
pub struct Sending {
    name: EventName,
    state: State,
    polled: bool,
}

enum State {
    Invalid(InvalidEvent),
    Sending(Attempt),
    Done,
}

/// The future that a transport returns.
type Attempt = Pin<Box<dyn Future<Output = Result<Receipt, SendError>> + Send>>;

impl Sending {
    pub(crate) fn new(name: EventName, attempt: Attempt) -> Self {
        Sending { name, state: State::Sending(attempt), polled: false }
    }

    pub(crate) fn invalid(error: InvalidEvent) -> Self {
        Sending { name: error.event_name().clone(), state: State::Invalid(error), polled: false }
    }
}

impl Future for Sending {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.polled = true;
        let mut attempt = match mem::replace(&mut self.state, State::Done) {
            State::Sending(attempt) => attempt,
            State::Invalid(error) => return Poll::Ready(Err(error.into())),
            State::Done => panic!(
                "`Sending` was polled after it was done; to send an event again, encode it once with `Tracker::prepare`, and give each attempt a clone: `tracker.send_prepared(prepared.clone())`"
            ),
        };
        match attempt.as_mut().poll(context) {
            Poll::Ready(sent) => Poll::Ready(log_outcome(&self.name, sent)),
            Poll::Pending => {
                self.state = State::Sending(attempt);
                Poll::Pending
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.polled {
            tracing::warn!(
                event.name = &*self.name,
                "event not sent: the future of `send` was dropped unpolled; await it, or spawn it"
            );
        }
    }
}

/// Logs the outcome, and names the event in the error.
fn log_outcome(name: &EventName, sent: Result<Receipt, SendError>) -> Result<Receipt, SendError> {
    match sent {
        Ok(receipt) => {
            tracing::trace!(event.name = &**name, status = receipt.status(), "event taken");
            Ok(receipt)
        }
        Err(error) => {
            let error = error.with_event_name(name.clone());
            tracing::debug!(event.name = error.event_name().map(EventName::as_str), error = ?error, "event not taken");
            Err(error)
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("name", &self.name).finish_non_exhaustive()
    }
}
