//! The commands of the pages: the test runs each file in `commands` against a sandbox.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::setup::Setup;

/// Runs these pages. No command can change these variables.
fn run(pages: &str, setup: &Setup, variables: &[(&str, &str)]) {
    let cases = trycmd::TestCases::new();
    for (name, value) in variables {
        cases.env(*name, *value);
    }
    let home = setup.home().to_str().unwrap();
    cases
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("NO_COLOR", "1")
        .insert_var("[URL]", setup.sandbox.url().to_owned())
        .unwrap()
        .insert_var("[HOME]", home.to_owned())
        .unwrap()
        .register_bin("git", found("git"))
        .case(pages);
    // Dropping it runs the pages.
    drop(cases);
}

/// Finds a program as a shell does.
fn found(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    let mut places = env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file()).unwrap()
}

#[test]
fn commands_against_a_sandbox() {
    run("tests/commands/*.md", &Setup::new(&[]), &[]);
}

#[test]
fn events_that_are_read_back() {
    run("tests/commands/events/*.md", &Setup::new(&[]), &[]);
}

#[test]
fn the_documented_configuration_works() {
    let setup = Setup::new(&[]);
    let variables = [("INTERCOM_BASE_URL", setup.sandbox.url())];
    run("tests/commands/configuration/*.md", &setup, &variables);
}

#[test]
fn commands_in_an_outage() {
    run("tests/commands/outage/*.md", &Setup::new(&["503"]), &[]);
}

#[test]
fn commands_on_a_machine_with_a_wrong_clock() {
    run("tests/commands/wrong_clock/*.md", &Setup::new(&["skew +300s on everything"]), &[]);
}

#[test]
fn settings_of_another_workspace() {
    let setup = Setup::new(&[]);
    let variables = [("INTERCOM_BASE_URL", setup.sandbox.url())];
    run("tests/commands/wrong_setup/*.md", &setup, &variables);
}

#[test]
fn locks_in_a_repository() {
    let person = [
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    run("tests/commands/lock/*.md", &Setup::new(&[]), &person);
}

#[test]
fn the_readme_lists_the_exit_codes_of_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_intercom")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let rows: Vec<_> = codes
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| format!("| {code} | {} |\n", meaning.trim()))
        .collect();
    assert!(include_str!("../../README.md").contains(&rows.concat()), "{rows:#?}");
    assert_eq!(rows.len(), 8);
}
