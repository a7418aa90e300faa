use intercom_core::{IntercomEvent, Timestamp};

fn time(seconds: &i64) -> Timestamp {
    Timestamp::from_unix_seconds(*seconds)
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(with = time)]
    created: i64,
}

fn main() {}
