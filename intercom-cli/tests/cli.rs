//! The commands as their documentation shows them: each file in `commands` is run against a sandbox.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

use std::fs;

use intercom_sandbox::{Fault, Sandbox, SeedContact};
use tokio::runtime::Runtime;

/// What a run of cases is against.
struct Setup<'a> {
    cases: &'a str,
    /// Faults that the sandbox has from the start.
    faults: &'a [&'a str],
    /// Variables that every command has, and none can replace.
    variables: &'a [&'a str],
}

/// Runs the cases. The user's configuration has a profile of the sandbox.
fn run(setup: &Setup<'_>) {
    let runtime = Runtime::new().unwrap();
    let sandbox = Sandbox::builder()
        .contact(SeedContact::user_id("42"))
        .contact(SeedContact::email("ada@example.com"));
    let sandbox = runtime.block_on(sandbox.start()).unwrap();
    for fault in setup.faults {
        sandbox.inject(fault.parse::<Fault>().unwrap());
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("intercom");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("token"), sandbox.token()).unwrap();
    let url = sandbox.url();
    let profile = format!(
        "profile = \"sandbox\"\n[profiles.sandbox]\nbase_url = \"{url}\"\ntoken_file = \"token\"\n"
    );
    fs::write(folder.join("config.toml"), profile).unwrap();
    let cases = trycmd::TestCases::new();
    for variable in setup.variables {
        cases.env(*variable, url);
    }
    cases
        .env("HOME", home.path().to_str().unwrap())
        .env("XDG_CONFIG_HOME", home.path().to_str().unwrap())
        .env("NO_COLOR", "1")
        .insert_var("[URL]", url.to_owned())
        .unwrap()
        .case(setup.cases);
    // It runs the cases.
    drop(cases);
}

#[test]
fn commands_against_a_sandbox() {
    run(&Setup { cases: "tests/commands/*.md", faults: &[], variables: &[] });
}

#[test]
fn the_configuration() {
    let variables = &["INTERCOM_BASE_URL"];
    run(&Setup { cases: "tests/commands/configuration/*.md", faults: &[], variables });
}

#[test]
fn commands_in_an_outage() {
    run(&Setup { cases: "tests/commands/outage/*.md", faults: &["503"], variables: &[] });
}
