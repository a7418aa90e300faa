use intercom_core::MetadataValue;

#[derive(MetadataValue)]
enum Plan {}

fn main() {}
