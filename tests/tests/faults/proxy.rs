//! A proxy between the client and the sandbox that fails as networks do.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// A fault of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The proxy resets the connection before it reads the request.
    Reset,
    /// The proxy forwards half of the body, then resets the connection.
    ResetInBody,
    /// The proxy reads the request and forwards nothing. The connection stays open.
    Swallow,
    /// The proxy does not read the request. The connection stays open.
    BlackHole,
    /// The response is the error page of a proxy that cannot reach the sandbox.
    BadGateway,
    /// The sandbox gets the request, and its response comes byte by byte, but in time.
    SlowAnswer,
    /// The same, but the response takes longer than any client waits.
    EndlessAnswer,
    /// The sandbox gets the request, and the proxy closes the connection within the response.
    CutAnswer,
    /// The sandbox gets the request, and the proxy resets the connection before the response.
    ResetAnswer,
    /// The sandbox gets the request, and the response is not HTTP.
    Garbage,
    /// The sandbox gets the request, and the response is a proxy's time-out page.
    GatewayTimeout,
}

impl Fault {
    const ALL: [Fault; 11] = [
        Fault::Reset,
        Fault::ResetInBody,
        Fault::Swallow,
        Fault::BlackHole,
        Fault::BadGateway,
        Fault::SlowAnswer,
        Fault::EndlessAnswer,
        Fault::CutAnswer,
        Fault::ResetAnswer,
        Fault::Garbage,
        Fault::GatewayTimeout,
    ];
}

/// Chooses the fault of each request, if any.
type Script = Box<dyn FnMut() -> Option<Fault> + Send>;

/// Every second request has this fault. So there are never enough failures in a row for an outage,
/// which would take a second each time.
pub(crate) fn every_other(fault: Fault) -> impl FnMut() -> Option<Fault> {
    let mut turn = false;
    move || {
        turn = !turn;
        turn.then_some(fault)
    }
}

/// This percentage of the requests has some fault.
pub(crate) fn some(percent: u64, seed: u64) -> impl FnMut() -> Option<Fault> {
    let mut rng = Rng::with_seed(seed);
    move || {
        let faulty = rng.u64(..100) < percent;
        faulty.then(|| Fault::ALL[rng.usize(..Fault::ALL.len())])
    }
}

/// The proxy. Dropping it ends its connections too.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    server: Option<JoinHandle<()>>,
    /// A socket that does not listen refuses connections, and reserves the port meanwhile.
    _port: TcpSocket,
}

struct State {
    sandbox: SocketAddr,
    script: Mutex<Script>,
    faults: AtomicUsize,
    silences: AtomicUsize,
    /// The bodies of requests that the sandbox got, without a response known to the client.
    unanswered: Mutex<Vec<Vec<u8>>>,
}

impl Proxy {
    /// Listens on a new port, and forwards to `sandbox`.
    pub(crate) fn start(
        sandbox: &str,
        script: impl FnMut() -> Option<Fault> + Send + 'static,
    ) -> Self {
        let port = socket("127.0.0.1:0".parse().unwrap());
        let mut proxy = Proxy {
            address: port.local_addr().unwrap(),
            state: Arc::new(State {
                sandbox: sandbox.trim_start_matches("http://").parse().unwrap(),
                script: Mutex::new(Box::new(script)),
                faults: AtomicUsize::new(0),
                silences: AtomicUsize::new(0),
                unanswered: Mutex::default(),
            }),
            server: None,
            _port: port,
        };
        proxy.open();
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection except the silent ones, and refuses new ones.
    pub(crate) async fn close(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.abort();
        // This task always ends by an abort.
        let _ = server.await;
    }

    /// Accepts connections again, on the same port.
    pub(crate) fn open(&mut self) {
        let listener = socket(self.address).listen(1024).unwrap();
        self.server = Some(tokio::spawn(accept(listener, self.state.clone())));
    }

    /// Returns the number of requests with a fault.
    pub(crate) fn faults(&self) -> usize {
        self.state.faults.load(Ordering::Relaxed)
    }

    /// Returns how many of these end only by the client's time-out.
    pub(crate) fn silences(&self) -> usize {
        self.state.silences.load(Ordering::Relaxed)
    }

    /// Returns the bodies of requests that the sandbox may have accepted without a response to the
    /// client.
    pub(crate) fn unanswered(&self) -> Vec<Vec<u8>> {
        self.state.unanswered.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// Opens a socket that shares its port with another one that does not listen.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(serve(accepted.unwrap().0, state.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until a side or a fault ends it. A closed side fails no test.
async fn serve(mut client: TcpStream, state: Arc<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut sandbox = None;
    let mut last = None;
    // A client may close the connection between two requests.
    while client.peek(&mut [0]).await? > 0 {
        // A client that goes on has read the response, or gave up at that very moment.
        if let Some(request) = last.take() {
            state.answered(&request);
        }
        let fault = state.draw();
        match fault {
            Some(Fault::Reset) => return client.set_zero_linger(),
            Some(Fault::BlackHole) => {
                state.fall_silent(async move {
                    let _client = client;
                    pending().await
                });
                return Ok(());
            }
            _ => {}
        }
        let request = Message::read(&mut client).await?;
        match fault {
            Some(Fault::Swallow) => {
                state.fall_silent(async move { client.peek(&mut [0]).await.map(drop) });
                return Ok(());
            }
            Some(Fault::BadGateway) => {
                client.write_all(&page(502)).await?;
                continue;
            }
            _ => {}
        }
        let sandbox = match &mut sandbox {
            Some(sandbox) => sandbox,
            none => none.insert(TcpStream::connect(state.sandbox).await?),
        };
        if fault == Some(Fault::ResetInBody) {
            sandbox.write_all(request.up_to_half_of_its_body()).await?;
            return client.set_zero_linger();
        }
        // Recorded first, so that no end of this task can prevent it.
        state.given_to_sandbox(&request);
        sandbox.write_all(&request.bytes).await?;
        let answer = Message::read(sandbox).await?.bytes;
        match fault {
            Some(Fault::SlowAnswer) => drip(&mut client, &answer, Duration::ZERO).await?,
            Some(Fault::EndlessAnswer) => {
                let pause = Duration::from_millis(50);
                state.fall_silent(async move { drip(&mut client, &answer, pause).await });
                return Ok(());
            }
            Some(Fault::CutAnswer) => return client.write_all(&answer[..answer.len() / 2]).await,
            Some(Fault::ResetAnswer) => return client.set_zero_linger(),
            Some(Fault::Garbage) => {
                return client.write_all(b"\x15\x03\x01\0\x02\x02\x46\r\n").await;
            }
            Some(Fault::GatewayTimeout) => {
                client.write_all(&page(504)).await?;
                continue;
            }
            _ => client.write_all(&answer).await?,
        }
        last = Some(request);
    }
    Ok(())
}

impl State {
    fn draw(&self) -> Option<Fault> {
        let fault = (self.script.lock().unwrap())();
        self.faults.fetch_add(usize::from(fault.is_some()), Ordering::Relaxed);
        fault
    }

    /// Keeps a connection open, so that only the client ends it.
    fn fall_silent(&self, connection: impl Future<Output = io::Result<()>> + Send + 'static) {
        self.silences.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connection);
    }

    fn given_to_sandbox(&self, request: &Message) {
        self.unanswered.lock().unwrap().push(request.body().to_vec());
    }

    fn answered(&self, request: &Message) {
        let mut unanswered = self.unanswered.lock().unwrap();
        let position = unanswered.iter().position(|body| body == request.body()).unwrap();
        unanswered.swap_remove(position);
    }
}

/// Writes byte by byte, with a pause after each.
async fn drip(client: &mut TcpStream, answer: &[u8], pause: Duration) -> io::Result<()> {
    for byte in answer.chunks(1) {
        client.write_all(byte).await?;
        match pause {
            Duration::ZERO => tokio::task::yield_now().await,
            pause => sleep(pause).await,
        }
    }
    Ok(())
}

/// Writes the error page of a proxy.
fn page(status: u16) -> Vec<u8> {
    let page = "<html><body><h1>Bad gateway</h1></body></html>";
    let length = page.len();
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + page).into_bytes()
}

/// A request or a response, as received.
struct Message {
    bytes: Vec<u8>,
    /// The offset of the body.
    body: usize,
}

impl Message {
    /// Reads a message. Fails if the connection ends within it.
    async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let body = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            read_more(stream, &mut bytes).await?;
        };
        let end = body + content_length(&bytes[..body]);
        while bytes.len() < end {
            read_more(stream, &mut bytes).await?;
        }
        Ok(Message { bytes, body })
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    fn up_to_half_of_its_body(&self) -> &[u8] {
        &self.bytes[..self.body + self.body().len() / 2]
    }
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = str::from_utf8(head).unwrap();
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap())
}
