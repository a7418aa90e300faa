use intercom_core::MetadataValue;

#[derive(MetadataValue)]
#[event(name = "project_id", rename_all = "lowercase")]
struct ProjectId(#[event(display)] u64);

#[derive(MetadataValue)]
#[event(rename = "plan", rename_all = "snake")]
enum Plan {
    #[event("free")]
    Free,
    #[event(nmae = "team")]
    Team,
    #[event(skip)]
    Secret,
}

fn main() {}
