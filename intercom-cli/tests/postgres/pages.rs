//! The commands of the pages, over PostgreSQL.

use test_postgres::Server;

use crate::setup::Setup;

#[test]
#[ignore = "starts a server"]
fn the_pages() {
    let server = Server::start().unwrap();
    let setup = Setup::new(&[]);
    let home = setup.home().to_str().unwrap();
    let cases = trycmd::TestCases::new();
    cases
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("NO_COLOR", "1")
        .env("INTERCOM_OUTBOX", server.url())
        .case("tests/commands/postgres/*.md");
    // Dropping it runs the pages.
    drop(cases);
    assert_eq!(setup.sandbox.event_count(), 3);
}
