use intercom_core::Contact;

fn contact() -> Contact {
    Contact::email(42)
}

fn main() {}
