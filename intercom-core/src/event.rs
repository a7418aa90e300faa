//! The traits that the derives implement.

use std::rc::Rc;
use std::sync::Arc;

use crate::check;
use crate::contact::Contact;
use crate::derived_events::DerivedEvents;
use crate::description::{AlsoDescription, EventDescription, GroupDescription};
use crate::event_name::EventName;
use crate::metadata::MetadataEncoder;
use crate::sensitive::SensitiveKeys;
use crate::value::Timestamp;

/// Something that happened to a contact, in the form that Intercom records.
///
/// Implement it with `#[derive(IntercomEvent)]`, which checks Intercom's rules at compile time. Do
/// not implement it by hand: nothing checks that, and any version may change the methods. For names
/// known only at run time, use a [`DynamicEvent`](crate::DynamicEvent). A reference, a `Box`, an
/// `Rc` or an `Arc` of an event is an event.
///
/// The trait is not object safe, because it has constants. Put events of many
/// types into one list as [`DataEvent`](crate::DataEvent)s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "derive it: `#[derive(IntercomEvent)]` and `#[event(name = \"…\")]` on the type; for a name known only at run time use `DynamicEvent`",
    note = "of a list, send each event: `for event in &events {{ tracker.send(event).await?; }}`"
)]
pub trait IntercomEvent {
    /// The events that this type can send: one for a struct, one per variant for an enum. Empty for
    /// an event whose name is known only at run time.
    const EVENTS: &'static [EventDescription] = &[Self::__EVENT]; // no `dyn IntercomEvent`: a list of events is one of `DataEvent`s

    /// The events that `also` sends beside this one: a description for each function.
    const ALSO: &'static [AlsoDescription] = &[];

    /// Whether the event's name is known only at run time.
    #[doc(hidden)]
    const __IS_DYNAMIC: bool = false;

    /// The event of a struct, for the default of `EVENTS`. By value, because each reference in a
    /// constant is one more constant to compile.
    #[doc(hidden)]
    const __EVENT: EventDescription =
        panic!("an implementation of `IntercomEvent` by hand needs `EVENTS`");

    /// Returns the event's index in [`EVENTS`](Self::EVENTS): 0 for a struct.
    fn event_index(&self) -> usize {
        0
    }

    /// Returns the event's name, from its description.
    fn event_name(&self) -> EventName {
        EventName::__checked(Self::EVENTS[self.event_index()].name)
    }

    /// Writes the metadata.
    fn encode_metadata(&self, out: &mut MetadataEncoder<'_>);

    /// Returns the contact that the event's own fields name.
    fn event_contact(&self) -> Option<Contact> {
        None
    }

    /// Returns the time that the event's own field gives.
    fn event_created_at(&self) -> Option<Timestamp> {
        None
    }

    /// Returns the keys whose values are sensitive.
    fn sensitive_keys(&self) -> SensitiveKeys {
        if const { check::has_sensitive_keys(Self::EVENTS) } {
            SensitiveKeys::described(&Self::EVENTS[self.event_index()])
        } else {
            SensitiveKeys::none()
        }
    }

    /// Runs the functions that `also` names.
    fn derive_events(&self, _out: &mut DerivedEvents<'_>) {}
}

/// An event with a field marked `user_id`, `email` or `contact_id`, which names its contact.
///
/// The derive implements it. [`Tracker::send`](crate::Tracker::send) takes such an event without a
/// contact.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name its contact",
    label = "this event names no contact",
    note = "name the contact when sending: `tracker.for_contact(Contact::email(\"…\")).send(&event)`",
    note = "or mark the field that names it: `#[event(user_id)]`, `#[event(email)]` or `#[event(contact_id)]`",
    note = "if it is not an event yet, derive `IntercomEvent` first; of a list, send each event: `for event in &events {{ tracker.send(event).await?; }}`"
)]
pub trait IdentifiedEvent: IntercomEvent {}

/// A group of metadata keys that events share: `#[event(flatten)]` on a field of this type.
///
/// Implement it with `#[derive(EventMetadata)]`. A reference, a `Box`, an `Rc` or an `Arc` of a
/// group is a group, and so is an `Option` of a group.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a group of metadata keys",
    label = "cannot be flattened",
    note = "derive it: `#[derive(EventMetadata)]` on the type; to send a single value, remove `flatten`",
    note = "an event cannot be flattened: put the keys that events share into a group",
    note = "a list cannot be flattened: each group in it has the same keys; send an event for each, or what `#[event(with = path)]` makes of the list"
)]
pub trait EventMetadata {
    /// The keys of the group.
    const GROUP: GroupDescription;

    /// Writes the keys and their values.
    fn encode_metadata(&self, out: &mut MetadataEncoder<'_>);
}

macro_rules! pointers {
    ($($pointer:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: IntercomEvent + ?Sized> IntercomEvent for $pointer {
            const EVENTS: &'static [EventDescription] = T::EVENTS;
            const ALSO: &'static [AlsoDescription] = T::ALSO;
            const __IS_DYNAMIC: bool = T::__IS_DYNAMIC;

            #[inline]
            fn event_index(&self) -> usize {
                T::event_index(self)
            }

            #[inline]
            fn event_name(&self) -> EventName {
                T::event_name(self)
            }

            #[inline]
            fn encode_metadata(&self, out: &mut MetadataEncoder<'_>) {
                T::encode_metadata(self, out);
            }

            #[inline]
            fn event_contact(&self) -> Option<Contact> {
                T::event_contact(self)
            }

            #[inline]
            fn event_created_at(&self) -> Option<Timestamp> {
                T::event_created_at(self)
            }

            #[inline]
            fn sensitive_keys(&self) -> SensitiveKeys {
                T::sensitive_keys(self)
            }

            #[inline]
            fn derive_events(&self, out: &mut DerivedEvents<'_>) {
                T::derive_events(self, out);
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: IdentifiedEvent + ?Sized> IdentifiedEvent for $pointer {}

        #[diagnostic::do_not_recommend]
        impl<T: EventMetadata + ?Sized> EventMetadata for $pointer {
            const GROUP: GroupDescription = T::GROUP;

            #[inline]
            fn encode_metadata(&self, out: &mut MetadataEncoder<'_>) {
                T::encode_metadata(self, out);
            }
        }
    )*};
}

pointers! {
    &T;
    Box<T>;
    Rc<T>;
    Arc<T>;
}

/// A group that may be absent with all its keys.
#[diagnostic::do_not_recommend]
impl<T: EventMetadata> EventMetadata for Option<T> {
    const GROUP: GroupDescription = GroupDescription { optional: true, ..T::GROUP };

    fn encode_metadata(&self, out: &mut MetadataEncoder<'_>) {
        if let Some(group) = self {
            group.encode_metadata(out);
        }
    }
}
