//! The HTTP server. It has an accept loop of its own, since axum's can neither break a connection on
//! purpose nor be ended together with its connections; and it keeps up with clients that are slow,
//! many or no clients at all.
//!
//! `connection` serves one of them, over a `wire` that can break and that answers what is no HTTP;
//! `line` is what both know of it. `site` tells the page and the admin API from Intercom's API.

mod bare;
mod connection;
mod cut;
mod line;
mod outgoing;
mod refuse;
mod site;
mod wire;

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Sleep, sleep};

pub(crate) use cut::Cut;
pub(crate) use outgoing::{Outgoing, PIECE, Response};
pub(crate) use site::Site;

use line::Line;

/// How long to wait before the next try to accept a connection where the system has none to give,
/// most often for want of file descriptors. The end of a connection ends the wait as well.
const BREATH: Duration = Duration::from_millis(50);

/// The shortest time after which connections are looked at again: without one, a sandbox of which
/// somebody wants no patience at all would do nothing else.
const SHORTEST_IDLE: Duration = Duration::from_millis(1);

/// What the clients of a sandbox may claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many connections are open at a time.
    pub(crate) connections: usize,
    /// How long a connection may do nothing, take to bring the head of a request, or leave an answer
    /// unread.
    pub(crate) idle: Duration,
}

/// Serves until the sandbox closes and every connection has ended; or until its task is aborted,
/// which closes the listener and every connection at once.
pub(crate) async fn serve(listener: TcpListener, site: Arc<Site>, limits: Limits) {
    let mut connections = Connections::new(limits.idle);
    let mut refusals = JoinSet::new();
    let mut closing = pin!(site.workspace.closing.begun());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Those that have ended make room before it is looked for.
                    while connections.forget_one_that_ended() {}
                    if connections.lines.len() < limits.connections {
                        connections.open(stream, Arc::clone(&site));
                    } else if refusals.len() < refuse::AT_A_TIME {
                        refusals.spawn(refuse::refuse(stream, Arc::clone(&site)));
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

    fn open(&mut self, stream: TcpStream, site: Arc<Site>) {
        let line = Arc::new(Line::new(site));
        let task = self.tasks.spawn(connection::serve(stream, Arc::clone(&line)));
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
