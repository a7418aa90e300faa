//! The program's command line.

use std::io::Write as _;
use std::process::{Command, Output};

use crate::program::{PROGRAM, start};
use crate::support::{finish, friendly};

/// What it does that ends by itself.
fn output(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("it starts")
}

fn complaint(arguments: &[&str], code: i32) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("it complains in text")
}

/// A file that is gone with the test.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        let mut file = std::fs::File::create(&path).expect("a file can be made");
        file.write_all(text.as_bytes()).expect("it can be written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Somebody else may have tidied up.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn several_tokens_are_several_apps() {
    let running = start(&["--token", "other", "--token", "t", "--know-everybody"]);
    assert_eq!(finish(running.send("42")).await.status, 202);
}

#[tokio::test]
async fn faults_stand_from_the_start() {
    let mut running = start(&[
        "--token",
        "t",
        "--know-everybody",
        "--seed",
        "7",
        "--fault",
        "503 for 20%",
        "--fault",
        "delay 1ms on contacts",
    ]);
    let state = finish(running.admin("/state")).await.json();
    assert_eq!(state["seed"], 7);
    let faults: Vec<_> = state["faults"].as_array().unwrap().iter().map(|f| &f["fault"]).collect();
    assert_eq!(faults, ["503 for 20%", "delay 1ms on contacts"]);
    assert!(running.lines.any(|line| line == "fault 1: 503 for 20%"));
    assert!(running.lines.any(|line| line.ends_with("--seed 7")));
}

#[tokio::test]
async fn contacts_come_from_a_file() {
    let file = File::new(
        "people.json",
        r#"[{"user_id": "42", "name": "Ada"}, {"email": "gone@example.com", "archived": true}]"#,
    );
    let running = start(&["--token", "t", "--contacts", file.path()]);
    assert_eq!(finish(running.send("42")).await.status, 202);
    let listed = finish(running.admin("/contacts")).await;
    assert_eq!(listed.json()["contacts"].as_array().map(Vec::len), Some(2));

    // What one lists another one reads, also where an editor put a byte order mark before it.
    let file = File::new("listed.json", &format!("\u{feff}{}", listed.text));
    let other = start(&["--token", "t", "--contacts", file.path()]);
    assert_eq!(finish(other.admin("/contacts")).await.json(), listed.json());
}

#[test]
fn a_file_with_a_mistake_is_told_with_its_place() {
    for (text, message) in [
        ("[{\"user_id\": \"1\"},\n {\"mail\": \"a\"}]", "[1].mail: unknown field `mail`"),
        (
            "[{\"user_id\": \"1\"},\n {\"name\": \"a\"}]",
            "[1]: a contact needs `user_id`, `email` or",
        ),
        ("{\"contacts\": [{\"user_id\": 1}]}", "contacts[0].user_id: invalid type: integer `1`"),
        ("[{\"user_id\": \"1\"}] []", "trailing characters at line 1 column 20"),
        ("[{\"user_id\": \" \"}]", "[0]: the `user_id` of a contact is blank"),
        ("[", "EOF while parsing a list at line 1 column 1"),
    ] {
        let file = File::new("mistaken.json", text);
        let complaint = complaint(&["--contacts", file.path()], 1);
        let start = format!("intercom-sandbox: {}: ", file.path());
        let told = complaint.strip_prefix(&start).unwrap_or_else(|| panic!("{complaint}"));
        assert!(told.starts_with(message), "{complaint}");
        assert!(told.contains(" line ") && told.contains(" column "), "{complaint}");
    }
    let complaint = complaint(&["--contacts", "/there/is/none.json"], 1);
    assert!(complaint.starts_with("intercom-sandbox: cannot read the contacts in /there/is/none"));
    assert!(complaint.contains("because: "), "{complaint}");
}

#[tokio::test]
async fn a_taken_port_ends_it_with_a_message() {
    let sandbox = friendly().await;
    let (_, port) = sandbox.url().rsplit_once(':').expect("a URL with a port");
    assert_eq!(
        complaint(&["--port", port], 1),
        format!(
            "intercom-sandbox: port {port} is taken by another program: choose another with \
             --port, or any that is free with --port 0\n"
        )
    );
}

#[test]
fn an_argument_that_makes_no_sense_is_told() {
    for (arguments, message) in [
        (["--contact", "ada"], "expected user_id=…"),
        (["--contact", "email="], "the value is empty"),
        (["--fault", "503 sometimes"], "`sometimes` is not understood: expected `for 20%`"),
        (["--fault", "rate limit 5 for 20%"], "a rate limit is for everything"),
        (["--identifier-order", "id,id,email"], "expected id, user_id and email in some order"),
        (["--contacts-settle-after", "soon"], "expected a number of seconds"),
        (["--quiet", "--json"], "cannot be used with"),
        (["--token", ""], "nobody can send a token that is empty or has spaces in it"),
        (["--token", " t"], "nobody can send a token that is empty or has spaces in it"),
    ] {
        let complaint = complaint(&arguments, 2);
        assert!(complaint.contains(message), "{complaint}");
    }
}

#[test]
fn the_help_tells_the_groups_and_an_example() {
    let output = output(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("it is text");
    for heading in [
        "Who is let in:",
        "Who is known:",
        "How much is allowed:",
        "What goes wrong:",
        "What is printed:",
        "Rules that Intercom leaves open:",
        "Examples:",
    ] {
        assert!(help.contains(heading), "{heading}");
    }
    assert!(help.contains("--fault '503 for 20%' --seed 7"));
    let longest = help.lines().map(str::len).max();
    assert!(longest <= Some(110), "a line is longer than a terminal is wide: {longest:?}");
}
