//! A server in another process, to send to.

#![expect(clippy::print_stdout, reason = "its parent process reads the address")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, process, thread};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::{Listener, ListenerExt};
use bytes::Bytes;
use intercom_http::reqwest::Certificate;
use rcgen::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// The argument that makes a bench the server. The response time follows.
const SERVE: &str = "--serve-after-milliseconds=";

/// The argument that makes the server speak TLS.
const TLS: &str = "--serve-tls";

/// A server that answers 202 to every event. It runs the same program in another process, so that
/// the client's CPU time is its own. It ends with this process, or when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    url: String,
    certificate: Option<Certificate>,
}

impl Server {
    /// Serves and never returns, if the parent process started this one as a server. Call it first
    /// in `main`.
    pub fn run_if_told() {
        let told = env::args().find_map(|argument| argument.strip_prefix(SERVE)?.parse().ok());
        let Some(milliseconds) = told else { return };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let tls = env::args().any(|argument| argument == TLS);
        runtime.block_on(serve(Duration::from_millis(milliseconds), tls)).expect("the server runs");
        process::exit(0);
    }

    /// Starts a server that speaks plain HTTP and answers after `answers_after`.
    ///
    /// # Errors
    ///
    /// Fails when the process does not start, or does not print its address.
    pub fn start(answers_after: Duration) -> io::Result<Server> {
        Server::start_with(answers_after, false)
    }

    /// Starts a server that speaks TLS, with HTTP/1.1 or HTTP/2 as the client wants. Its
    /// certificate is self-signed.
    ///
    /// # Errors
    ///
    /// Fails when the process does not start, or does not print its address.
    pub fn start_tls(answers_after: Duration) -> io::Result<Server> {
        Server::start_with(answers_after, true)
    }

    fn start_with(answers_after: Duration, tls: bool) -> io::Result<Server> {
        let mut process = Command::new(env::current_exe()?)
            .arg(format!("{SERVE}{}", answers_after.as_millis()))
            .args(tls.then_some(TLS))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut told = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut url = String::new();
        told.read_line(&mut url)?;
        url.truncate(url.trim_end().len());
        let mut pem = String::new();
        // An empty line ends the output.
        while tls && told.read_line(&mut pem)? > 1 {}
        let certificate = tls.then(|| Certificate::from_pem(pem.as_bytes()));
        let certificate = certificate.transpose().map_err(io::Error::other)?;
        Ok(Server { process, url, certificate })
    }

    /// Returns the certificate to trust, if it speaks TLS.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Returns its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers until the parent process has ended.
async fn serve(answers_after: Duration, tls: bool) -> io::Result<()> {
    thread::spawn(|| {
        // The parent holds the other end of the input, so the input ends with it.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let answer = async move |_body: Bytes| {
        if !answers_after.is_zero() {
            tokio::time::sleep(answers_after).await;
        }
        StatusCode::ACCEPTED
    };
    let router = Router::new().route("/events", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    if tls {
        let (listener, certificate) = TlsListener::new(listener);
        println!("https://{address}\n{certificate}");
        return axum::serve(listener, router).await;
    }
    println!("http://{address}");
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

/// Accepts TLS connections, one after the other.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// Returns a listener with a new certificate, and that certificate as PEM.
    fn new(listener: TcpListener) -> (TlsListener, String) {
        const VALID: &str = "the certificate is valid";
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect(VALID);
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions();
        let config = config.expect("it knows them").with_no_client_auth();
        let mut config = config.with_single_cert(vec![cert.der().clone()], key).expect(VALID);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (TlsListener { listener, acceptor }, cert.pem())
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let _ = stream.set_nodelay(true);
            // A client may have opened another connection meanwhile, and hung up.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
