use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[event(name = "user_registered")]
struct UserRegistered {
    plan: String,
    #[serde(skip)]
    password: String,
    #[serde(skip_serializing, default)]
    pin: String,
}

fn main() {}
