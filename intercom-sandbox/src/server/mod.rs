//! The HTTP server. It has an accept loop of its own, since axum's can neither break a connection on
//! purpose nor be ended together with its connections; and it keeps up with clients that are slow,
//! many or no clients at all.
//!
//! `connection` serves one of them, over a `wire` that can break and that answers what is no HTTP;
//! `line` is what both know of it. What is answered is a [`Handler`]'s.

mod connection;
mod line;
mod outgoing;
mod raw_response;
mod wire;

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

pub(crate) use outgoing::{Cut, Outgoing, PIECE, Response};
pub(crate) use raw_response::RawResponses;

use crate::limits::Limits;
use line::Line;

/// How long to wait before the next try to accept a connection where the system has none to give,
/// most often for want of file descriptors. The end of a connection ends the wait as well.
const BREATH: Duration = Duration::from_millis(50);

/// The shortest time after which connections are looked at again: without one, a sandbox of which
/// somebody wants no patience at all would do nothing else.
const SHORTEST_IDLE: Duration = Duration::from_millis(1);

/// What answers the requests that come in.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn answer(
        self: Arc<Self>,
        parts: Parts,
        body: Incoming,
    ) -> impl Future<Output = Response> + Send + 'static;
}

/// Announces that the sandbox is about to end, to answers that would otherwise never do: streams of
/// events to the page, and the requests that a fault leaves without an answer.
#[derive(Default)]
pub(crate) struct Closing(watch::Sender<bool>);

impl Closing {
    /// Tells everybody who waits, now and later.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Returns once the sandbox is about to end, at once where it is already.
    pub(crate) async fn begun(&self) {
        // The sender is `self`, so it lives as long as anyone waits.
        let _ = self.0.subscribe().wait_for(|&begun| begun).await;
    }
}

/// Serves until the sandbox closes and every connection has ended; or until its task is aborted,
/// which closes the listener and every connection at once.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    raw: Arc<RawResponses>,
    closing: Arc<Closing>,
    limits: Limits,
) {
    let mut connections = Connections::new(limits.idle_timeout);
    let mut refusals = JoinSet::new();
    let mut closing = pin!(closing.begun());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Connections that ended make room for this one.
                    while connections.forget_one_that_ended() {}
                    if connections.lines.len() < limits.max_connections {
                        connections.open(stream, Arc::clone(&handler), Arc::clone(&raw));
                    } else if refusals.len() < raw_response::AT_A_TIME {
                        refusals.spawn(raw_response::refuse(stream, Arc::clone(&raw)));
                    }
                    // Beyond that, too many come at once to tell each of them why.
                }
                Err(_) => tokio::select! {
                    true = connections.one_ends() => {}
                    () = sleep(BREATH) => {}
                },
            },
            true = connections.one_ends() => {}
            Some(_) = refusals.join_next() => {}
            () = &mut closing => break,
        }
    }
    drop(listener);
    connections.lines.values().for_each(|line| line.close());
    while connections.one_ends().await {}
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    lines: HashMap<task::Id, Arc<Line>>,
    /// How long each may do nothing, and one timer for all of them: when it has passed, they are told.
    idle: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Connections {
    fn new(idle: Duration) -> Self {
        let (tasks, lines) = (JoinSet::new(), HashMap::new());
        let idle = idle.max(SHORTEST_IDLE);
        Self { tasks, lines, idle, timer: Box::pin(sleep(idle)) }
    }

    fn open<H: Handler>(&mut self, stream: TcpStream, handler: Arc<H>, raw: Arc<RawResponses>) {
        let line = Arc::new(Line::new(raw));
        let task = self.tasks.spawn(connection::serve(stream, Arc::clone(&line), handler));
        self.lines.insert(task.id(), line);
    }

    /// Waits until one has ended, and tells the others meanwhile when their time is up; `false` where
    /// there is none.
    async fn one_ends(&mut self) -> bool {
        loop {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => return self.forget(ended),
                () = &mut self.timer => {
                    self.lines.values().for_each(|line| line.time_is_up());
                    self.timer.set(sleep(self.idle));
                }
            }
        }
    }

    fn forget_one_that_ended(&mut self) -> bool {
        let ended = self.tasks.try_join_next_with_id();
        self.forget(ended)
    }

    fn forget(&mut self, ended: Option<Result<(task::Id, ()), JoinError>>) -> bool {
        let id = ended.map(|ended| ended.map_or_else(|error| error.id(), |(id, ())| id));
        if let Some(id) = id {
            self.lines.remove(&id);
        }
        id.is_some()
    }
}
