//! The program's command line.

use std::io::Write as _;
use std::process::{Command, Output};

use crate::program::{PROGRAM, Running, start};
use crate::support::{finish, friendly};

/// Runs the program with arguments that end it at once.
fn output(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("it starts")
}

fn complaint(arguments: &[&str], code: i32) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("it complains in text")
}

/// A file that the test deletes at its end.
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
        // Another process may have deleted the file.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn several_tokens_are_several_apps() {
    let running = start(&["--token", "other", "--token", "t", "--know-everybody"]);
    assert_eq!(finish(running.send("42")).await.status, 202);
}

#[tokio::test]
async fn faults_are_active_from_the_start() {
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

#[test]
fn the_seed_is_printed_if_a_fault_is_random() {
    for (fault, by_chance) in [("503 for 20%", true), ("503 for next 2", false)] {
        let mut running = start(&["--fault", fault]);
        let greeting = running.lines.by_ref().take_while(|line| line != "Ctrl-C ends it");
        let printed = greeting.filter(|line| line.contains("--seed ")).count();
        assert_eq!(printed, usize::from(by_chance), "{fault}");
    }
}

#[tokio::test]
async fn contacts_come_from_a_file() {
    let file = File::new(
        "contacts.json",
        r#"[{"user_id": "42", "name": "Ada"}, {"email": "gone@example.com", "archived": true}]"#,
    );
    let running = start(&["--token", "t", "--contacts", file.path()]);
    assert_eq!(finish(running.send("42")).await.status, 202);
    let listed = finish(running.admin("/contacts")).await;
    assert_eq!(listed.json()["contacts"].as_array().map(Vec::len), Some(2));

    // The file form is what the admin API lists, even after an editor's byte order mark.
    let file = File::new("listed.json", &format!("\u{feff}{}", listed.text));
    let other = start(&["--token", "t", "--contacts", file.path()]);
    assert_eq!(finish(other.admin("/contacts")).await.json(), listed.json());
}

#[test]
fn a_mistake_in_a_file_is_reported_with_its_place() {
    for (text, message) in [
        ("[{\"user_id\": \"1\"},\n {\"mail\": \"a\"}]", "[1].mail: unknown field `mail`"),
        (
            "[{\"user_id\": \"1\"},\n {\"name\": \"a\"}]",
            "[1]: a contact needs `user_id`, `email` or",
        ),
        ("{\"contacts\": [{\"user_id\": 1}]}", "contacts[0].user_id: invalid type: integer `1`"),
        ("{\"people\": []}", "people: unknown field `people`, expected `contacts`"),
        ("[{\"user_id\": \"1\"}] []", "trailing characters at line 1 column 20"),
        ("[{\"user_id\": \" \"}]", "[0]: the `user_id` of a contact is blank"),
        ("[", "EOF while parsing a list at line 1 column 1"),
        ("\"42\"", "invalid type: string \"42\", expected a sequence"),
        ("user_id,email", "expected value"),
    ] {
        let file = File::new("mistaken.json", text);
        let complaint = complaint(&["--contacts", file.path()], 1);
        let start = format!("intercom-sandbox: {}: ", file.path());
        let reason = complaint.strip_prefix(&start).unwrap_or_else(|| panic!("{complaint}"));
        assert!(reason.starts_with(message), "{complaint}");
        assert!(reason.contains(" line ") && reason.contains(" column "), "{complaint}");
        assert!(
            reason.ends_with("; write a list such as [{\"user_id\": \"42\"}]\n"),
            "{complaint}"
        );
    }
}

#[test]
fn a_file_without_a_list_is_refused_with_the_right_form() {
    let one = "{\"user_id\": \"1\",\n \"mail\": \"a\"}";
    for (name, text, message) in [
        ("one.json", one, "this is one contact, not a list: put it in [ and ]"),
        ("lines.json", &format!("{one}\n{one}"), "this is one contact, not a list"),
        ("empty.json", " \n", "the file is empty"),
    ] {
        let file = File::new(name, text);
        let complaint = complaint(&["--contacts", file.path()], 1);
        assert!(complaint.starts_with(&format!("intercom-sandbox: {}: {message}", file.path())));
    }
    let folder = std::env::temp_dir();
    for (path, hint) in [
        ("/there/is/none.json", "because: "),
        (
            folder.to_str().expect("a plain path"),
            "because: a folder, not a file: name a file in it",
        ),
    ] {
        let complaint = complaint(&["--contacts", path], 1);
        let start = format!("intercom-sandbox: cannot read the contacts in {path}\n");
        assert!(complaint.starts_with(&start) && complaint.contains(hint), "{complaint}");
    }
}

#[tokio::test]
async fn a_taken_port_ends_the_program_with_a_message() {
    let sandbox = friendly().await;
    let (_, port) = sandbox.url().rsplit_once(':').expect("a URL with a port");
    assert_eq!(
        complaint(&["--port", port], 1),
        format!(
            "intercom-sandbox: another program listens on port {port}: choose another port \
             with --port, or a free one with --port 0\n"
        )
    );
}

#[test]
fn an_invalid_argument_is_refused() {
    for (arguments, message) in [
        (["--contact", "ada"], "expected user_id=…"),
        (["--contact", "email="], "the value is empty"),
        (["--fault", "503 sometimes"], "`sometimes` is not a clause: expected `for 20%`"),
        (["--fault", "rate limit 5 for 20%"], "a rate limit is for all requests"),
        (["--identifier-order", "id,id,email"], "expected id, user_id and email in some order"),
        (["--contacts-settle-after", "soon"], "expected a number of seconds"),
        (["--quiet", "--json"], "cannot be used with"),
        (["--values", "--json"], "cannot be used with"),
        (["--token", ""], "a token must not be empty, and has no spaces"),
        (["--token", " t"], "a token must not be empty, and has no spaces"),
        (["--app-id", "a:b"], "an app id must not be empty, and has no colon"),
        (["--region", "europe"], "Intercom's regions are US, EU and AU"),
        (["--rate-limit", "0"], "--no-rate-limit removes the limit"),
        (["--workspace-rate-limit", "0"], "--fault 'rate limit 0' refuses every request"),
        (["--rate-limit", "-5"], "expected a whole number of requests"),
        (["--body-limit", "1MB"], "expected a whole number, such as 1000"),
        (["--max-connections", "0"], "expected 1 or more"),
        (["--idle-timeout", "0"], "expected more than 0 seconds"),
        (["--body-timeout", "30s"], "expected a number of seconds, such as 30"),
        (["--deduplicate-among", "0"], "--keep-duplicates turns de-duplication off"),
        (["--fault", "600"], "`600` is not a status from 200 to 599"),
    ] {
        let complaint = complaint(&arguments, 2);
        assert!(complaint.contains(message), "{complaint}");
    }
}

#[tokio::test]
async fn a_repeated_token_is_refused() {
    let complaint = complaint(&["--token", "a", "--token", "b", "--token", "a"], 1);
    assert!(complaint.contains("each app has a token of its own"), "{complaint}");
}

/// Every option that a flag sets, with a value other than the default.
const OPTIONS: [(&[&str], &str, &str); 39] = [
    (&["--region", "eu"], "region", r#""EU""#),
    (&["--token", "t", "--token", "u"], "apps", "2"),
    (&["--know-everybody"], "know_everybody", "true"),
    (&["--contacts-settle-after", "0.5"], "contacts_settle_after", "0.5"),
    (&["--max-contacts", "7"], "max_contacts", "7"),
    (&["--max-contact-bytes", "7000"], "max_contact_bytes", "7000"),
    (&["--merge-any"], "merges_only_duplicates", "false"),
    (&["--merged-contact-is-404"], "merged_contact_is_404", "true"),
    (&["--ambiguous-contact-is-400"], "ambiguous_contact_is_400", "true"),
    (&["--rate-limit", "8"], "rate_limit", "8"),
    (&["--workspace-rate-limit", "9"], "workspace_rate_limit", "9"),
    (&["--active-event-names", "10"], "active_event_names", "10"),
    (&["--body-limit", "11000"], "body_limit", "11000"),
    (&["--body-timeout", "12"], "body_timeout", "12.0"),
    (&["--idle-timeout", "13"], "idle_timeout", "13.0"),
    (&["--max-connections", "14"], "max_connections", "14"),
    (&["--max-incoming-bytes", "15000"], "max_incoming_bytes", "15000"),
    (&["--keep-requests", "16"], "keep_requests", "16"),
    (&["--keep-events", "17"], "keep_events", "17"),
    (&["--keep-bytes", "18"], "keep_bytes", "18"),
    (&["--deduplicate-among", "19"], "deduplicate_among", "19"),
    (
        &["--identifier-order", "email,id,user_id"],
        "identifier_order",
        r#"["email","id","user_id"]"#,
    ),
    (&["--keep-punctuation"], "fold_punctuation", "false"),
    (&["--oldest-created-at", "20"], "oldest_created_at", "20.0"),
    (&["--furthest-created-at", "21"], "furthest_created_at", "21.0"),
    (&["--metadata-keys", "5"], "metadata_keys", "5"),
    (&["--drop-null-values"], "drop_null_values", "true"),
    (&["--drop-nested-values"], "drop_nested_values", "true"),
    (&["--cut-long-strings"], "cut_long_strings", "true"),
    (&["--refuse-booleans"], "refuse_booleans", "true"),
    (&["--refuse-negative-amounts"], "refuse_negative_amounts", "true"),
    (&["--accepted-is-200"], "accepted_is_200", "true"),
    (&["--missing-accept-is-404"], "missing_accept_is_404", "true"),
    (&["--retry-after"], "retry_after", "true"),
    (&["--keep-nested-values"], "keep_nested_values", "true"),
    (&["--ignore-blank-identifiers"], "ignore_blank_identifiers", "true"),
    (&["--accept-number-identifiers"], "accept_number_identifiers", "true"),
    (&["--accept-empty-metadata"], "accept_empty_metadata", "true"),
    (
        &["--custom-attribute", "plan", "--custom-attribute", "seats"],
        "custom_attributes",
        r#"["plan","seats"]"#,
    ),
];

#[tokio::test]
async fn every_flag_sets_an_option_that_the_state_shows() {
    let all = start(&OPTIONS.map(|(flags, ..)| flags).concat());
    let other = start(&["--keep-duplicates", "--no-rate-limit"]);
    let state = async |running: &Running| finish(running.admin("/state")).await.json();
    let (all, other) = (state(&all).await, state(&other).await);
    let (options, others) = (&all["options"], &other["options"]);
    for (flags, name, value) in OPTIONS {
        assert_eq!(options[name].to_string(), value, "{flags:?}");
        assert_ne!(others[name].to_string(), value, "{flags:?} changes nothing");
    }
    assert_eq!((&options["deduplicate"], &others["deduplicate"]), (&true.into(), &false.into()));
    assert!(others["rate_limit"].is_null() && others["workspace_rate_limit"].is_null());
    let names = options.as_object().expect("an object").len();
    assert_eq!(names, OPTIONS.len() + 1, "each option has a flag: {options}");
    assert!(!all.to_string().contains("sandbox-key"), "the state has no keys");
}

#[test]
fn the_help_has_groups_and_an_example() {
    let output = output(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("it is text");
    for heading in [
        "Apps and tokens:",
        "Known contacts:",
        "Intercom's limits:",
        "Limits on clients:",
        "Memory:",
        "Faults:",
        "Output:",
        "Rules that Intercom leaves open:",
        "Examples:",
    ] {
        assert!(help.contains(heading), "{heading}");
    }
    assert!(help.contains("--fault '503 for 20%' --seed 7"));
    let longest = help.lines().map(str::len).max();
    assert!(longest <= Some(110), "a line is longer than a terminal is wide: {longest:?}");
}
