use intercom_core::MetadataValue;

#[derive(MetadataValue)]
struct Position(f64, f64);

fn main() {}
