use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Project {}

fn main() {}
