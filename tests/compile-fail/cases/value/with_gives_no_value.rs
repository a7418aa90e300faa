use intercom_core::IntercomEvent;

fn parts(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(with = parts)]
    project_name: String,
}

fn main() {}
