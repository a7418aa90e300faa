use intercom_core::IntercomEvent;
use serde::Serialize;

#[derive(Clone, IntercomEvent, Serialize)]
#[event(name = "user_registered")]
#[serde(into = "PublicPart")]
struct UserRegistered {
    plan: String,
    password: String,
}

#[derive(Serialize)]
struct PublicPart {
    plan: String,
}

impl From<UserRegistered> for PublicPart {
    fn from(user: UserRegistered) -> Self {
        PublicPart { plan: user.plan }
    }
}

fn main() {}
