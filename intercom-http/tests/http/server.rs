//! A server that answers with exact bytes, and records the requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// The server's action after it has read a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Writes these bytes, and waits for the next request.
    Bytes(Vec<u8>),
    /// Writes these bytes, and closes.
    BytesThenClose(Vec<u8>),
    /// Writes these bytes, and resets the connection.
    BytesThenReset(Vec<u8>),
    /// Writes these bytes, and keeps the connection open in silence.
    BytesThenSilence(Vec<u8>),
    /// Waits at the barrier twice: to report the request, and to continue. Then writes these bytes,
    /// and waits for the next request.
    HeldBytes(Arc<Barrier>, Vec<u8>),
}

impl Reply {
    /// Returns this reply, held at the barrier.
    pub(crate) fn held(self, barrier: &Arc<Barrier>) -> Self {
        match self {
            Reply::Bytes(bytes) => Reply::HeldBytes(Arc::clone(barrier), bytes),
            other => panic!("only a plain reply can be held, not {other:?}"),
        }
    }
}

/// Returns a reply with this status, these header lines and this body.
pub(crate) fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

/// Returns a reply with one error in Intercom's error list.
pub(crate) fn error_list(status: u16, code: &str, message: &str) -> Reply {
    let body = serde_json::json!({
        "type": "error.list",
        "request_id": "req-1",
        "errors": [{ "code": code, "message": message }],
    });
    answer(status, &["content-type: application/json; charset=utf-8"], body.to_string())
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    /// Returns the request line: method, path, version.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// Returns the values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    requests: Vec<Recorded>,
    connections: usize,
}

/// Sends its replies in order, and repeats the last. Dropping it stops it.
pub(crate) struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = impl Into<Reply>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let replies = replies.into_iter().map(Into::into).collect();
        let state = Arc::new(Mutex::new(State { replies, ..State::default() }));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Server { port, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.lock().unwrap().connections += 1;
        tokio::spawn(serve(stream, Arc::clone(&state)));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Some(request) = read(&mut stream).await {
        let reply = {
            let mut state = state.lock().unwrap();
            state.requests.push(request);
            match state.replies.len() {
                0 => panic!("the server has no reply"),
                1 => state.replies[0].clone(),
                _ => state.replies.pop_front().unwrap(),
            }
        };
        // Writing fails when the client has gone, which is fine.
        match reply {
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Reply::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::BytesThenReset(bytes) => {
                let _ = stream.write_all(&bytes).await;
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::BytesThenSilence(bytes) => {
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Reply::HeldBytes(barrier, bytes) => {
                barrier.wait().await;
                barrier.wait().await;
                let _ = stream.write_all(&bytes).await;
            }
        }
    }
}

/// Reads one request. Returns `None` when the client has gone.
async fn read(stream: &mut TcpStream) -> Option<Recorded> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            break String::from_utf8(std::mem::replace(&mut bytes, body)).unwrap();
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut request = Recorded { head, body: Vec::new() };
    let length: usize =
        request.header("content-length").first().map_or(0, |length| length.parse().unwrap());
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    request.body = bytes;
    Some(request)
}
