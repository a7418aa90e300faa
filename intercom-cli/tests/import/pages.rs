//! The commands of the documentation.

#[test]
fn the_documented_commands_work() {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases
        .env("HOME", home.path().to_str().unwrap())
        .env("XDG_CONFIG_HOME", home.path().to_str().unwrap())
        .env("NO_COLOR", "1")
        .case("tests/commands/import/*.md");
}
