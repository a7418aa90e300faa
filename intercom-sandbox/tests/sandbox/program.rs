//! The program, started as a user starts it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{client, event, finish};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_intercom-sandbox");

/// A running program, killed when the test ends, even in a panic.
pub(crate) struct Running {
    child: Child,
    pub(crate) lines: Box<dyn Iterator<Item = String> + Send>,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program on a free port, and reads its standard output. The first line, on either
/// stream, has the address.
pub(crate) fn start(arguments: &[&str]) -> Running {
    let json = arguments.contains(&"--json");
    let mut child = Command::new(PROGRAM)
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(if json { Stdio::piped() } else { Stdio::inherit() })
        .spawn()
        .expect("it starts");
    let lines = |stream| {
        BufReader::<Box<dyn std::io::Read + Send>>::new(stream)
            .lines()
            .map(|line| line.expect("it prints text"))
    };
    let mut lines_out = lines(Box::new(child.stdout.take().expect("a pipe")));
    let first = match child.stderr.take() {
        Some(stderr) => {
            let mut remarks = lines(Box::new(stderr));
            let first = remarks.next();
            // Draining the stream keeps the program from blocking.
            std::thread::spawn(move || remarks.count());
            first
        }
        None => lines_out.next(),
    };
    let url = first
        .as_deref()
        .and_then(|line| line.strip_prefix("open ")?.strip_suffix('/'))
        .expect("the first line has the address")
        .to_owned();
    Running { child, lines: Box::new(lines_out), url }
}

impl Running {
    pub(crate) fn send(&self, user_id: &str) -> RequestBuilder {
        let mut body = event("project_created");
        body["user_id"] = user_id.into();
        body["metadata"] = json!({"plan": "pro"});
        self.call(Method::POST, "/events").body(body.to_string())
    }

    /// Builds a request to Intercom's API.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        client()
            .request(method, format!("{}{path}", self.url))
            .bearer_auth("t")
            .header("Content-Type", "application/json")
    }

    pub(crate) fn admin(&self, path: &str) -> RequestBuilder {
        client().get(format!("{}/_sandbox{path}", self.url))
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().expect("there is kill");
        assert!(sent.success());
    }

    /// Waits for the program's end, and returns its exit status.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

#[tokio::test]
async fn the_program_prints_its_address_and_each_request() {
    let mut running = start(&["--token", "t", "--contact", "user_id=42", "--rate-limit", "3"]);
    let url = running.url.clone();
    assert_eq!(running.lines.next(), Some(format!("Intercom's API is {url}, the access token t")));
    assert!(running.lines.any(|line| line.contains(&format!("curl -i {url}/events"))));

    assert_eq!(finish(running.send("42")).await.status, 202);
    assert_eq!(finish(running.send("42")).await.status, 202);
    assert_eq!(finish(running.send("43")).await.status, 404);
    assert_eq!(finish(running.send("42")).await.status, 429);

    let described = "project_created user_id plan";
    assert!(
        running.lines.any(|line| line == format!("event {described}")),
        "the accepted event has its line"
    );
    assert_eq!(running.lines.next(), Some(format!("duplicate {described}")));
    let refused = running.lines.next().expect("the refused event has its line");
    assert_eq!(refused, "POST /events 404");
    let hint = running.lines.next().expect("how to fix it has its line");
    assert!(hint.starts_with("  not_found: No user has this id: create the contact"), "{hint}");
}

/// Runs a curl command line as a shell parses it, and returns the status. The test machine need not
/// have curl.
async fn run_curl(command: &str) -> u16 {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}; {command}");
    let ran = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    let output = String::from_utf8(ran.stdout).expect("it is text");
    let mut arguments = output.split_terminator('\0');
    assert_eq!(arguments.next(), Some("-i"), "{command}");
    let mut request = client().post(arguments.next().expect("an address"));
    while let Some(flag) = arguments.next() {
        let value = arguments.next().expect("a flag has a value").to_owned();
        request = match (flag, value.split_once(": ")) {
            ("-H", Some((name, value))) => request.header(name, value),
            ("-d", _) => request.body(value),
            _ => panic!("{flag} in {command}"),
        };
    }
    finish(request).await.status
}

/// Runs every printed command as printed, in order.
#[tokio::test]
async fn the_printed_commands_work() {
    for (arguments, answers) in [
        (&[][..], &[200, 202][..]),
        (&["--know-everybody"], &[202]),
        (&["--contact", "user_id=42"], &[202]),
        (&["--contact", "email=o'hara@example.com", "--token", "it's"], &[200, 202]),
        (&["--contact", "email=o'hara@example.com", "--token", "it's", "--values"], &[202]),
        (&["--contact", "id=5ba6", "--values"], &[202]),
    ] {
        let mut running = start(arguments);
        let printed: Vec<_> =
            running.lines.by_ref().take_while(|line| line != "Ctrl-C ends it").collect();
        let commands = printed.iter().filter(|line| line.trim_start().starts_with("curl "));
        let mut statuses = Vec::new();
        for command in commands {
            statuses.push(run_curl(command).await);
        }
        assert_eq!(statuses, answers, "{printed:?}");
    }
}

#[tokio::test]
async fn the_program_prints_on_after_the_page_cleared() {
    let mut running = start(&["--token", "t", "--know-everybody", "--values"]);
    finish(running.send("1")).await;
    finish(running.send("2")).await;
    let clear = client().post(format!("{}/_sandbox/clear", running.url));
    finish(clear.header("Content-Type", "application/json")).await;
    finish(running.send("3")).await;
    assert!(running.lines.any(|line| line.contains("user_id=3")));
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_does_not_print_restored_requests() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("state.json");
    let file = file.to_str().expect("it is text");
    let flags = ["--token", "t", "--know-everybody", "--values", "--state", file];
    let mut first = start(&flags);
    finish(first.send("1")).await;
    first.signal("-INT");
    assert_eq!(first.lines.by_ref().filter(|line| line.starts_with("event ")).count(), 1);
    assert!(first.ended().success());

    let mut second = start(&flags);
    finish(second.send("2")).await;
    second.signal("-INT");
    let printed: Vec<_> = second.lines.by_ref().filter(|line| line.starts_with("event ")).collect();
    assert_eq!(printed, [r#"event project_created user_id=2 plan="pro""#]);
}

#[tokio::test]
async fn the_option_json_prints_one_object_per_request_and_nothing_else() {
    let mut running =
        start(&["--json", "--token", "t", "--contact", "user_id=42", "--fault", "429 for next 1"]);
    assert_eq!(finish(running.send("42")).await.status, 429);
    assert_eq!(finish(running.send("42")).await.status, 202);
    assert_eq!(finish(running.send("43")).await.status, 404);
    let records: Vec<Value> = (0..3)
        .map(|_| running.lines.next().expect("a line"))
        .map(|line| serde_json::from_str(&line).expect("every line is JSON"))
        .collect();
    let short: Vec<_> = records
        .iter()
        .map(|record| {
            ["number", "method", "path", "status", "outcome", "fault"]
                .map(|member| record[member].clone())
        })
        .collect();
    assert_eq!(
        json!(short),
        json!([
            [1, "POST", "/events", 429, "faulted", "429"],
            [2, "POST", "/events", 202, "accepted", null],
            [3, "POST", "/events", 404, "refused", null],
        ])
    );
    let contact = json!({"kind": "user_id", "value": "43"});
    assert_eq!(
        records[2]["event"]["contact"], contact,
        "a refused event shows the members of its \
                                                         body"
    );
    assert_eq!(records[1]["event"]["metadata"], json!([["plan", "pro"]]));
    assert_eq!(records[2]["problems"][0]["code"], "not_found");
    assert!(records[2]["problems"][0]["hint"].is_string());
    assert!(!records[0].to_string().contains("Bearer t\""), "the record has no credentials");

    running.signal("-INT");
    assert_eq!(running.lines.next(), None, "standard output has no totals");
}

#[tokio::test]
async fn the_option_quiet_prints_no_requests() {
    let mut running = start(&["--quiet", "--token", "t", "--know-everybody"]);
    assert_eq!(finish(running.send("42")).await.status, 202);
    running.signal("-TERM");
    let lines: Vec<_> = running.lines.by_ref().collect();
    assert!(!lines.iter().any(|line| line.starts_with("event ")), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("events: 1, duplicates: 0, requests: 1"));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_program_without_an_error() {
    for signal in ["-INT", "-TERM"] {
        let mut running = start(&["--know-everybody"]);
        assert!(running.lines.any(|line| line == "Ctrl-C ends it"));
        running.signal(signal);
        assert_eq!(
            running.lines.by_ref().last().as_deref(),
            Some("events: 0, duplicates: 0, requests: 0")
        );
        assert!(running.child.wait().expect("it ends").success());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_in_flight_is_answered_and_printed_before_the_end() {
    let mut running = start(&["--token", "t", "--know-everybody", "--fault", "delay 500ms"]);
    let answer = tokio::spawn(finish(running.send("42")));
    while finish(running.admin("/faults")).await.json()["faults"][0]["met"] == 0 {}
    running.signal("-TERM");
    assert_eq!(answer.await.unwrap().status, 202);
    assert!(running.lines.any(|line| line.starts_with("event project_created")));
    assert_eq!(
        running.lines.by_ref().last().as_deref(),
        Some("events: 1, duplicates: 0, requests: 1")
    );
    assert!(running.child.wait().expect("it ends").success());
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_recovers_from_a_lack_of_file_descriptors() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --port 0 --token t --know-everybody", PROGRAM])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("it prints text"));
    let url = lines.next().expect("the first line has the address");
    let url = url.trim_start_matches("open ").trim_end_matches('/').to_owned();
    let running = Running { child, lines: Box::new(lines), url };

    // The program cannot accept this many; the rest waits in the system's backlog.
    let address = running.url.trim_start_matches("http://");
    let crowd: Vec<_> =
        (0..100).map(|_| std::net::TcpStream::connect(address).expect("it listens")).collect();
    let answer = tokio::spawn(finish(running.send("42")));
    drop(crowd);
    assert_eq!(answer.await.unwrap().status, 202);
}

#[cfg(unix)]
#[test]
fn a_closed_output_ends_the_program_too() {
    let mut running = start(&["--token", "t", "--know-everybody"]);
    // The test has read the whole greeting, and will not read the request's line.
    assert!(running.lines.any(|line| line == "Ctrl-C ends it"));
    running.lines = Box::new(std::iter::empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(finish(running.send("42"))).status;
    assert_eq!(status, 202);
    assert!(running.child.wait().expect("it ends").success());
}

#[test]
fn the_suggested_command_names_a_known_contact() {
    let tried = |arguments: &[&str]| {
        let mut running = start(arguments);
        let lines: Vec<_> =
            running.lines.by_ref().take_while(|line| line != "Ctrl-C ends it").collect();
        let warned = lines.iter().any(|line| line.starts_with("no contact is known"));
        (warned, lines.last().expect("the request to try").clone())
    };
    let (warned, request) = tried(&[]);
    assert!(warned && request.contains(r#""user_id":"42""#), "{request}");
    let (warned, request) = tried(&["--know-everybody"]);
    assert!(!warned && request.contains(r#""user_id":"42""#), "{request}");
    let (warned, request) = tried(&["--contact", "email=o'hara@example.com", "--values"]);
    assert!(!warned && request.contains(r#""email":"o'\''hara@example.com""#), "{request}");
    let (warned, request) = tried(&["--contact", "email=o'hara@example.com"]);
    assert!(!warned && request.contains(r#""user_id":"42""#), "{request}");
    let (_, request) = tried(&["--token", "o'hara"]);
    assert!(request.contains(r"'Authorization: Bearer o'\''hara'"), "{request}");
}
