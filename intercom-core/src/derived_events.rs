//! Collects the events that `also` derives from an event.

use crate::contact::Contact;
use crate::data_event::DataEvent;
use crate::description::{AlsoDescription, EventDescription};
use crate::event::IntercomEvent;
use crate::invalid::InvalidEvent;
use crate::value::Timestamp;

/// Collects the events that `also` derives from one event. Only the derive calls it.
///
/// A derived event has the `created_at` of its original. It has the original's contact, unless its
/// own fields name one.
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
            // Reports the first mistake only.
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<DataEvent>, InvalidEvent> {
        self.error.map_or(Ok(self.events), Err)
    }
}

/// A type that a function named by `also` may return: an `Option` of an event.
#[diagnostic::on_unimplemented(
    message = "`also` cannot send what this function returns: `{Self}`",
    label = "returns `{Self}`",
    note = "it takes a reference to the event, and returns an `Option` of another event: `fn big_invoice(paid: &InvoicePaid) -> Option<BigInvoicePaid>`"
)]
pub trait Derived {
    /// The events that it can hold.
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

/// The return type of a function that `also` names, where the compiler infers that type.
///
/// The description and the method that runs the function repeat the same bounds in the same words.
/// So the compiler reports a mistake in the function once.
#[derive(Clone, Copy, Debug)]
pub struct Gives<R>(&'static [EventDescription], fn(R, &mut DerivedEvents<'_>));

impl<R: Derived> Gives<R> {
    /// The derive names this constant.
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
