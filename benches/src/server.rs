//! The other side of everything that is sent: a server in a process of its own.

#![expect(clippy::print_stdout, reason = "it tells its address to the process that started it")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, io, process, thread};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// The argument that makes a bench the server, and what it says of how long an answer takes.
const SERVE: &str = "--serve-after-milliseconds=";

/// A server that answers 202 to every event. It is this same program in another process, so that the client's CPU time
/// is its own. It ends with this process, or when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Is the server, and does not return, where this process was started to be it. To be called first in `main`.
    pub fn run_if_told() {
        let told = env::args().find_map(|argument| argument.strip_prefix(SERVE)?.parse().ok());
        let Some(milliseconds) = told else { return };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        runtime.block_on(serve(Duration::from_millis(milliseconds))).expect("the server runs");
        process::exit(0);
    }

    /// Starts one that answers after this time.
    ///
    /// # Errors
    ///
    /// Fails when the process cannot be started, or does not tell its address.
    pub fn start(answers_after: Duration) -> io::Result<Server> {
        let mut process = Command::new(env::current_exe()?)
            .arg(format!("{SERVE}{}", answers_after.as_millis()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        let mut server = Server { process, url: String::new() };
        BufReader::new(stdout).read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        Ok(server)
    }

    /// Its address.
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

/// Answers until the process that reads from this one has ended.
async fn serve(answers_after: Duration) -> io::Result<()> {
    thread::spawn(|| {
        // The end of the input is the end of the process at its other side.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let answer = async move |_body: Bytes| {
        if !answers_after.is_zero() {
            tokio::time::sleep(answers_after).await;
        }
        StatusCode::ACCEPTED
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/events", post(answer))).await
}
