use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(IntercomEvent, Serialize)]
#[event(name = "user_registered")]
struct UserRegistered {
    plan: String,
    #[cfg_attr(all(), serde(skip))]
    password: String,
}

fn main() {}
