use intercom_core::MetadataValue;

#[derive(MetadataValue)]
struct Tags(Vec<String>);

fn main() {}
