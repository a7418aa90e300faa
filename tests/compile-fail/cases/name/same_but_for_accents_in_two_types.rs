use intercom_core::{IntercomEvent, assert_distinct_names};

#[derive(IntercomEvent)]
#[event(name = "Menu_Créé")]
struct Created;

#[derive(IntercomEvent)]
#[event(name = "menu_cre\u{301}e\u{301}")]
struct Made;

const _: () = assert_distinct_names(&[Created::EVENTS, Made::EVENTS]);

fn main() {}
