//! The program as it is deployed: settings from the environment, and SIGTERM at the end.

use std::process::Stdio;

use intercom_sandbox::Sandbox;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStderr, Command};

use crate::running::client;

struct Program {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    /// Starts the program in this folder, on a free port, with these variables and no other of its own.
    fn start(folder: &std::path::Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
        for variable in ["INTERCOM_ACCESS_TOKEN", "INTERCOM_REGION", "INTERCOM_BASE_URL"] {
            command.env_remove(variable);
        }
        let mut process = command
            .current_dir(folder)
            .env("ADDRESS", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Program { process, log }
    }

    /// Reads the log up to the line that has this text, and gives what follows it.
    async fn says(&mut self, text: &str) -> String {
        let mut before = String::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            match line.split_once(text) {
                Some((_, rest)) => return rest.to_owned(),
                None => before = before + &line + "\n",
            }
        }
        panic!("it does not say `{text}`, but:\n{before}");
    }
}

async fn create_project(address: &str) -> u16 {
    let request = client().post(format!("http://{address}/projects"));
    let request = request.header("x-user-id", 42).header("content-type", "application/json");
    request.body(r#"{"name": "Apollo"}"#).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_service_serves_until_sigterm_and_exports_metrics() {
    let sandbox = Sandbox::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let variables =
        [("INTERCOM_ACCESS_TOKEN", sandbox.token()), ("INTERCOM_BASE_URL", sandbox.url())];
    let mut program = Program::start(folder.path(), &variables);
    let address = program.says("serving on http://").await;
    assert_eq!(create_project(&address).await, 201);
    // Its contact was unknown, and is created for it.
    assert_eq!(sandbox.wait_for(1).await[0].user_id(), Some("42"));
    let metrics = client().get(format!("http://{address}/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("intercom_delivery_accepted_total 1"), "{metrics}");

    let id = program.process.id().unwrap();
    kill(Pid::from_raw(id.try_into().unwrap()), Signal::SIGTERM).unwrap();
    program.says("ended: ").await;
    assert!(program.process.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_service_starts_without_a_token_and_logs_events() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), &[]);
    let address = program.says("serving on http://").await;
    assert_eq!(create_project(&address).await, 201);
    program.says("project_created").await;
}

#[tokio::test]
async fn wrong_credentials_end_it_and_an_outage_does_not() {
    let sandbox = Sandbox::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wrong = [("INTERCOM_ACCESS_TOKEN", "wrong"), ("INTERCOM_BASE_URL", sandbox.url())];
    let mut program = Program::start(folder.path(), &wrong);
    program.says("check the access token").await;
    assert!(!program.process.wait().await.unwrap().success());

    // The socket keeps the port, and nobody listens there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let down = [("INTERCOM_ACCESS_TOKEN", sandbox.token()), ("INTERCOM_BASE_URL", &url)];
    let mut program = Program::start(folder.path(), &down);
    program.says("starting without Intercom").await;
    program.says("serving on http://").await;
}
