use intercom_core::IntercomEvent;

#[derive(IntercomEvent)]
enum Menu {
    #[event(name = "menu_créé")]
    Created { menu_id: u64 },
    #[event(name = "menu_cre\u{301}e\u{301}")]
    Made { menu_id: u64 },
}

fn main() {}
