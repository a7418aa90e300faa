use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[event(name = "Menu_Créé")]
struct Created;

#[derive(IntercomEvent)]
#[event(name = "menu_cre\u{301}e\u{301}")]
struct Made;

catalogue! { static ACME: Created, Made }

fn main() {}
