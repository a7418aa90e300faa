use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "letter_sent")]
struct LetterSent {
    #[event(skip, sensitive)]
    street: String,
}

fn main() {}
