//! A proxy between the processes and PostgreSQL that fails as networks do.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use test_postgres::{Statements, accepts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The fault of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Nothing passes, and no connection is closed: a half-open link.
    Silent,
    /// `Silent` from the next commit on, which does not reach the server.
    SilentFromCommit,
    /// The next commit does not reach the server. Its connection is reset.
    CutBeforeCommit,
    /// The next commit reaches the server, and its response does not come back. The connection is
    /// reset.
    CutAfterCommit,
}

/// The proxy. Dropping it ends its connections too.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    mode: watch::Sender<Mode>,
    cuts: Mutex<usize>,
}

impl Proxy {
    /// Listens on a new port, and forwards to `port`.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { mode: watch::Sender::new(Mode::Pass), cuts: Mutex::new(0) });
        let serving = state.clone();
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, port, serving.clone()));
            }
        });
        Proxy { address, state, server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
    }

    /// Returns the number of cut commits.
    pub(crate) fn cuts(&self) -> usize {
        *self.state.cuts.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        // Its connections notice the change, and end.
        self.state.mode.send_replace(Mode::Pass);
    }
}

async fn serve(client: TcpStream, port: u16, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    for stream in [&client, &server] {
        // With this option, dropping the socket resets the connection.
        let _ = stream.set_zero_linger();
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let awaits_commit = AtomicBool::new(false);
    tokio::select! {
        _ = pass(from_client, to_server, &state, Way::Up, &awaits_commit) => {}
        _ = pass(from_server, to_client, &state, Way::Down, &awaits_commit) => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Passes on what comes this way. `awaits_commit` is whether the next answer is that of a commit.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    way: Way,
    awaits_commit: &AtomicBool,
) -> io::Result<()> {
    let mut mode = state.mode.subscribe();
    let mut buffer = vec![0; 64 << 10];
    let mut statements = Statements::default();
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            // A closed connection does not pass either.
            let _ = mode.wait_for(|mode| *mode != Mode::Silent).await;
            return Ok(());
        }
        let bytes = &buffer[..read];
        let (commits, cut) = match way {
            Way::Up => {
                let commits = statements.run_by(bytes).iter().any(|words| accepts(words));
                awaits_commit.store(commits, Ordering::Relaxed);
                (commits, Mode::CutBeforeCommit)
            }
            Way::Down => (awaits_commit.swap(false, Ordering::Relaxed), Mode::CutAfterCommit),
        };
        if commits && state.mode.send_if_modified(|mode| take(mode, cut, Mode::Pass)) {
            *state.cuts.lock().unwrap() += 1;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let silent = |mode: &mut Mode| take(mode, Mode::SilentFromCommit, Mode::Silent);
        if commits && way == Way::Up && state.mode.send_if_modified(silent) {
            *state.cuts.lock().unwrap() += 1;
            let _ = mode.wait_for(|mode| *mode != Mode::Silent).await;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        // A silent network keeps what it holds.
        if mode.wait_for(|mode| *mode != Mode::Silent).await.is_err() {
            return Ok(());
        }
        to.write_all(bytes).await?;
    }
}

/// Takes a pending cut, and returns whether it was this one.
fn take(mode: &mut Mode, cut: Mode, next: Mode) -> bool {
    let is_it = *mode == cut;
    if is_it {
        *mode = next;
    }
    is_it
}

/// The length of a silence that a process must notice. Its lease and its time-outs end before.
pub(crate) const SILENCE: Duration = Duration::from_secs(12);
