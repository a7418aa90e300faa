use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Project {
    #[event(name = "project_created")]
    Created(u64),
}

fn main() {}
