//! A proxy before the server that freezes, cuts connections, and loses responses.

use std::sync::{Arc, Mutex};

use test_postgres::Statements;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Nothing passes, and no connection breaks: a half-open link, or a stopped process.
    Frozen,
    /// Open connections work, and new ones wait.
    Held,
    /// Breaks every connection, and refuses new ones.
    Closed,
}

/// The place of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The statement does not arrive.
    Before,
    /// The statement arrives, and its response does not.
    After,
    /// The statement arrives. Instead of its response comes an error, as poolers send it.
    Failed,
}

/// The response of a pooler whose server ended: severity FATAL, SQLSTATE 58000.
const FAILED: &[u8] = b"E\0\0\0\x2dSFATAL\0VFATAL\0C58000\0Mthe server ended\0\0";

/// Returns whether the statement with these words is the one to cut.
type IsWanted = Box<dyn FnMut(&str) -> bool + Send>;

/// The next statement to cut, and the place of the cut.
type Trap = Arc<Mutex<Option<(IsWanted, Cut)>>>;

pub(crate) struct Proxy {
    pub(crate) url: String,
    gate: watch::Sender<Gate>,
    trap: Trap,
}

impl Proxy {
    /// Starts a proxy before the server at this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let (server, listener) =
            (server.to_owned(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
        let url = format!("{start}@{}/{path}", listener.local_addr().unwrap());
        let (gate, seen) = watch::channel(Gate::Open);
        let trap = Trap::default();
        let set = trap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, server.clone(), seen.clone(), set.clone()));
            }
        });
        Proxy { url, gate, trap }
    }

    pub(crate) fn freeze(&self) {
        self.gate.send_replace(Gate::Frozen);
    }

    /// Lets new connections wait.
    pub(crate) fn hold(&self) {
        self.gate.send_replace(Gate::Held);
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(Gate::Open);
    }

    pub(crate) fn close(&self) {
        self.gate.send_replace(Gate::Closed);
    }

    /// Cuts the connection that sends the next such statement.
    pub(crate) fn cut(&self, is_wanted: impl FnMut(&str) -> bool + Send + 'static, cut: Cut) {
        *self.trap.lock().unwrap() = Some((Box::new(is_wanted), cut));
    }

    /// Returns whether the connection was cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.trap.lock().unwrap().is_none()
    }
}

async fn connection(
    client: TcpStream,
    server: String,
    mut gate: watch::Receiver<Gate>,
    trap: Trap,
) {
    let _ = gate.wait_for(|gate| *gate != Gate::Held).await;
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let (lose, lost) = watch::channel(None);
    // The end of one direction ends the other, and both sockets.
    tokio::select! {
        () = up(from_client, to_server, gate.clone(), trap, lose) => {}
        () = down(from_server, to_client, gate, lost) => {}
    }
}

async fn up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut gate: watch::Receiver<Gate>,
    trap: Trap,
    lose: watch::Sender<Option<Cut>>,
) {
    let mut buffer = vec![0; 1 << 20];
    let mut statements = Statements::default();
    while let Some(length) = next(&mut from, &mut buffer, &mut gate).await {
        let run = statements.run_by(&buffer[..length]);
        let cut = {
            let mut trap = trap.lock().unwrap();
            trap.take_if(|(is_wanted, _)| run.iter().any(|words| is_wanted(words)))
                .map(|(_, cut)| cut)
        };
        match cut {
            Some(Cut::Before) => return,
            Some(cut) => {
                lose.send_replace(Some(cut));
            }
            None => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut gate: watch::Receiver<Gate>,
    lost: watch::Receiver<Option<Cut>>,
) {
    let mut buffer = vec![0; 1 << 20];
    while let Some(length) = next(&mut from, &mut buffer, &mut gate).await {
        let lost = *lost.borrow();
        let response = match lost {
            None => &buffer[..length],
            Some(Cut::Failed) => FAILED,
            // The response is lost, and the connection with it.
            Some(_) => return,
        };
        if to.write_all(response).await.is_err() || lost.is_some() {
            return;
        }
    }
}

/// Reads on when the gate is open. `None`: the connection has ended.
async fn next(
    from: &mut OwnedReadHalf,
    buffer: &mut [u8],
    gate: &mut watch::Receiver<Gate>,
) -> Option<usize> {
    let length = tokio::select! {
        length = from.read(buffer) => length.ok().filter(|length| *length > 0)?,
        _ = gate.wait_for(|gate| *gate == Gate::Closed) => return None,
    };
    let opened = gate.wait_for(|gate| *gate != Gate::Frozen).await.ok()?;
    (*opened != Gate::Closed).then_some(length)
}
