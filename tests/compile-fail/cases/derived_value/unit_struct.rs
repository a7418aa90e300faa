use intercom_core::MetadataValue;

#[derive(MetadataValue)]
struct Nothing;

fn main() {}
