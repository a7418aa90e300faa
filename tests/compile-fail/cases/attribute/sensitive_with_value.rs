use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
#[event(name = "letter_sent")]
struct LetterSent {
    #[event(sensitive = true)]
    street: String,
}

fn main() {}
