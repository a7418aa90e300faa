//! Lists of events as constants.

use intercom_core::{Catalogue, IntercomEvent, catalogue};

#[derive(IntercomEvent)]
#[expect(dead_code, reason = "the test reads only the description")]
enum Project<'a> {
    #[event(name = "Project Created", was = "project_made")]
    Created { name: &'a str },
    #[event(name = "project_deleted")]
    Deleted,
}

#[derive(IntercomEvent)]
#[event(name = "measured", also = share)]
struct Measured<T, const N: usize> {
    part: T,
    #[event(skip)]
    _of: [T; N],
}

fn share<T, const N: usize>(_: &Measured<T, N>) -> Option<billing::Share> {
    None
}

mod billing {
    use intercom_core::{IntercomEvent, catalogue};

    #[derive(IntercomEvent)]
    #[event(name = "share_measured")]
    pub(super) struct Share;

    #[derive(IntercomEvent)]
    #[event(name = "invoice_paid")]
    pub(super) struct Paid;

    catalogue! {
        pub(super) static SHARES: Share;
    }
    catalogue! {
        pub(super) static BILLING: ..SHARES, &'static Paid,
    }
}

catalogue! {
    /// What happens
    /// here.
    #[allow(dead_code, reason = "other attributes belong to the static")]
    #[budget(5)]
    static ALL: Project<'_>, ..billing::BILLING, Measured<u8, 3>
}

#[derive(IntercomEvent)]
#[event(name = "caf\u{e9}_opened")]
struct CafeOpened;

catalogue! {
    static ACCENTED: CafeOpened
}

#[test]
fn a_catalogue_lists_events_in_order_with_those_of_other_catalogues_in_place() {
    let names: Vec<_> = ALL.events().map(|event| event.name).collect();
    assert_eq!(
        names,
        ["Project Created", "project_deleted", "share_measured", "invoice_paid", "measured"]
    );
    let types: Vec<_> = ALL.types().map(|listed| listed.name).collect();
    assert_eq!(types, ["Project<'_>", "Share", "&'static Paid", "Measured<u8, 3>"]);
    assert_eq!((ALL.name(), ALL.doc(), ALL.budget()), ("ALL", "What happens\nhere.", 5));
    assert_eq!(billing::BILLING.budget(), Catalogue::MAX_BUDGET);
}

#[test]
fn an_event_is_found_by_its_name_in_any_case() {
    assert_eq!(ALL.event("project created").unwrap().was, Some("project_made"));
    assert_eq!(ALL.event("INVOICE_PAID").unwrap().name, "invoice_paid");
    assert!(ALL.event("project_made").is_none());
    assert_eq!(ACCENTED.event("CAFE\u{301}_OPENED").unwrap().name, "caf\u{e9}_opened");
}

#[test]
fn a_catalogue_finds_derived_events_by_name() {
    let also: Vec<_> = ALL.also("Measured").collect();
    assert_eq!((also.len(), also[0].derived[0].name), (1, "share_measured"));
    assert_eq!(ALL.also("invoice_paid").count(), 0);
}
