use intercom_core::IntercomEvent;

#[derive(IntercomEvent, serde::Serialize)]
#[event(name = "user_registered")]
struct UserRegistered {
    #[serde(skip)]
    #[event(sensitive)]
    password: String,
}

fn main() {}
