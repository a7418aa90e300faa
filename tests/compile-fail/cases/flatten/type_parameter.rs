use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated<T> {
    #[event(flatten)]
    more: T,
}

fn main() {}
