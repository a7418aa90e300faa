use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum User {
    #[event(name = "user_registered")]
    Registered {
        plan: String,
        #[serde(skip)]
        password: String,
    },
}

fn main() {}
