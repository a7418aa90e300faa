use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(nmae = "project_created", max_keys = "20", rename_all = "camel")]
struct ProjectCreated {
    #[event(skipp)]
    project_id: u64,
    #[event(rename = 7)]
    project_name: String,
    r#type: u8,
}

fn main() {}
