use intercom_core::{DynamicEvent, catalogue};

catalogue! { static ACME: DynamicEvent }

fn main() {}
