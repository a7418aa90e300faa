//! The HTTP server, with its own accept loop: axum's can neither reset a connection on purpose nor
//! end with its connections. The server stays up with slow clients, many clients, and
//! clients that do not speak HTTP.
//!
//! `connection` serves a connection over a `stream`, which can break and answers bytes that are
//! not HTTP. `connection_state` has the state that both share. A [`Handler`] answers the requests.

mod connection;
mod connection_state;
mod outgoing;
mod raw_response;
mod stream;

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Sleep, sleep};

pub(crate) use outgoing::{Disconnect, Outgoing, PIECE, Response};
pub(crate) use raw_response::RawResponses;

use crate::limits::Limits;
use connection_state::ConnectionState;

/// The wait after a failed accept. Most often the process has no file descriptor left. The end of a
/// connection also ends the wait.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// The shortest idle period. With an idle timeout of zero, the timer would spin.
const MIN_IDLE_PERIOD: Duration = Duration::from_millis(1);

/// Answers incoming requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn answer(
        self: Arc<Self>,
        parts: Parts,
        body: Incoming,
    ) -> impl Future<Output = Response> + Send + 'static;
}

/// Announces the end of the sandbox to the answers that never end by themselves. Those are event
/// streams to the page, and requests that a fault leaves without an answer.
#[derive(Default)]
pub(crate) struct ShutdownSignal(watch::Sender<bool>);

impl ShutdownSignal {
    /// Announces the end to all waiters, present and future.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the sandbox is about to end.
    pub(crate) async fn begun(&self) {
        // The sender is `self`, so it outlives the wait.
        let _ = self.0.subscribe().wait_for(|&begun| begun).await;
    }
}

/// Serves until the sandbox closes and every connection has ended. Aborting the task closes the
/// listener and every connection at once.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    raw: Arc<RawResponses>,
    closing: Arc<ShutdownSignal>,
    limits: Limits,
) {
    let mut connections = Connections::new(limits.idle_timeout);
    let mut refusals = JoinSet::new();
    let mut closing = pin!(closing.begun());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Ended connections no longer count.
                    while connections.remove_ended() {}
                    if connections.states.len() < limits.max_connections {
                        connections.open(stream, Arc::clone(&handler), Arc::clone(&raw));
                    } else if refusals.len() < raw_response::MAX_REFUSALS {
                        refusals.spawn(raw_response::refuse(stream, Arc::clone(&raw)));
                    }
                    // Closes a connection beyond that without an answer.
                }
                Err(_) => tokio::select! {
                    true = connections.connection_ended() => {}
                    () = sleep(ACCEPT_RETRY) => {}
                },
            },
            true = connections.connection_ended() => {}
            Some(_) = refusals.join_next() => {}
            () = &mut closing => break,
        }
    }
    drop(listener);
    connections.states.values().for_each(|state| state.close());
    while connections.connection_ended().await {}
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    states: HashMap<task::Id, Arc<ConnectionState>>,
    /// The idle period, with one timer for all connections.
    idle: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Connections {
    fn new(idle: Duration) -> Self {
        let (tasks, states) = (JoinSet::new(), HashMap::new());
        let idle = idle.max(MIN_IDLE_PERIOD);
        Self { tasks, states, idle, timer: Box::pin(sleep(idle)) }
    }

    fn open<H: Handler>(&mut self, stream: TcpStream, handler: Arc<H>, raw: Arc<RawResponses>) {
        let state = Arc::new(ConnectionState::new(raw));
        let task = self.tasks.spawn(connection::serve(stream, Arc::clone(&state), handler));
        self.states.insert(task.id(), state);
    }

    /// Waits until a connection has ended, and reports idle periods meanwhile. Returns `false` if
    /// there is no connection.
    async fn connection_ended(&mut self) -> bool {
        loop {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => return self.forget(ended),
                () = &mut self.timer => {
                    self.states.values().for_each(|state| state.end_idle_period());
                    self.timer.set(sleep(self.idle));
                }
            }
        }
    }

    fn remove_ended(&mut self) -> bool {
        let ended = self.tasks.try_join_next_with_id();
        self.forget(ended)
    }

    fn forget(&mut self, ended: Option<Result<(task::Id, ()), JoinError>>) -> bool {
        let id = ended.map(|ended| ended.map_or_else(|error| error.id(), |(id, ())| id));
        if let Some(id) = id {
            self.states.remove(&id);
        }
        id.is_some()
    }
}
