use intercom_core::IntercomEvent;

fn parts(text: &String) -> Vec<String> {
    vec![text.clone()]
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated {
    #[event(with = parts)]
    project_name: String,
}

fn main() {}
