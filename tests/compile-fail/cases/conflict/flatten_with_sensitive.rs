use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "letter_sent")]
struct LetterSent {
    #[event(flatten, sensitive)]
    street: Address,
}

#[derive(intercom_core::EventMetadata)]
struct Address {
    street: String,
}

fn main() {}
