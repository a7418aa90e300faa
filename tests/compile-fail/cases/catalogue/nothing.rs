use intercom_core::catalogue;

catalogue! { static ACME: }

fn main() {}
