//! Collects the events that are derived from one: what `also` gives.

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::description::{AlsoDescription, EventDescription};
use crate::event::IntercomEvent;
use crate::invalid::InvalidEvent;
use crate::value::Timestamp;

/// Collects the events that are derived from one. The derive calls it; there is nothing in it for others.
///
/// A derived event has the second of its cause. Its contact is that of its own fields, or else that of its cause.
#[derive(Debug)]
pub struct DerivedEvents<'a> {
    contact: &'a Contact,
    created_at: Timestamp,
    events: Vec<DataEvent>,
    error: Option<InvalidEvent>,
}

impl<'a> DerivedEvents<'a> {
    pub(crate) fn new(contact: &'a Contact, created_at: Timestamp) -> Self {
        DerivedEvents { contact, created_at, events: Vec::new(), error: None }
    }

    fn add<D: IntercomEvent>(&mut self, event: &D) {
        let contact = event.event_contact().unwrap_or_else(|| self.contact.clone());
        match DataEvent::alone(event, contact, self.created_at) {
            Ok(event) => self.events.push(event),
            // The first mistake is the one reported.
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<DataEvent>, InvalidEvent> {
        self.error.map_or(Ok(self.events), Err)
    }
}

/// What a function that `also` names may give: an `Option` of an event.
#[diagnostic::on_unimplemented(
    message = "`also` cannot send what this function gives: `{Self}`",
    label = "gives `{Self}`",
    note = "it takes a reference to the event, and gives an `Option` of another event: `fn big_invoice(paid: &InvoicePaid) -> Option<BigInvoicePaid>`"
)]
pub trait Derived {
    /// What it can be.
    const EVENTS: &'static [EventDescription];

    /// Adds the event, if there is one.
    fn add_to(self, out: &mut DerivedEvents<'_>);
}

#[diagnostic::do_not_recommend]
impl<D: IntercomEvent> Derived for Option<D> {
    const EVENTS: &'static [EventDescription] = D::EVENTS;

    fn add_to(self, out: &mut DerivedEvents<'_>) {
        if let Some(event) = self {
            out.add(&event);
        }
    }
}

/// What a function gives, by its type, to stand where that is inferred.
///
/// The description and the method that runs the function have the same bounds in the same words: the compiler shows a
/// mistake in the function once.
#[derive(Clone, Copy, Debug)]
pub struct Gives<R>(&'static [EventDescription], fn(R, &mut DerivedEvents<'_>));

impl<R: Derived> Gives<R> {
    /// What the derive names.
    pub const EVENTS: Self = Gives(R::EVENTS, R::add_to);
}

/// Describes a function that `also` names.
pub const fn describe<'a, E, R, F>(
    event: &'static str,
    gives: Gives<R>,
    _function: &F,
) -> AlsoDescription
where
    E: ?Sized + 'a,
    F: Fn(&'a E) -> R,
{
    AlsoDescription { event, derived: gives.0 }
}

/// Runs a function that `also` names.
pub fn derive<'a, E, R, F>(event: &'a E, out: &mut DerivedEvents<'_>, gives: Gives<R>, function: &F)
where
    E: ?Sized + 'a,
    F: Fn(&'a E) -> R,
{
    (gives.1)(function(event), out);
}
