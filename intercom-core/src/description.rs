//! What the compiler knows of an event, as data: for catalogues, documentation and checks.

use std::iter;
use std::marker::PhantomData;

use crate::value::ValueKind;

/// What is known of an event before any is sent.
///
/// ```
/// use intercom_core::{IntercomEvent, ValueKind};
///
/// /// Somebody began a project.
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated {
///     /// The number in the project's address.
///     project_id: u64,
///     template: Option<String>,
/// }
///
/// let event = &ProjectCreated::EVENTS[0];
/// assert_eq!((event.name, event.doc), ("project_created", "Somebody began a project."));
///
/// let keys = event.keys();
/// assert_eq!((keys[0].key, keys[0].kind), ("project_id", ValueKind::Number));
/// assert_eq!(keys[0].doc, "The number in the project's address.");
/// assert!(keys[1].optional);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventDescription {
    /// The event's name.
    pub name: &'static str,
    /// The name as Intercom compares names: in lower case.
    pub folded_name: &'static str,
    /// The documentation comment on the event, trimmed; empty when there is none.
    pub doc: &'static str,
    /// The metadata, in the order of the fields.
    pub fields: &'static [FieldDescription],
    /// How many keys the event may have: 10, unless `max_keys` raises it.
    pub max_keys: usize,
    /// What the event's role fields say: which identifiers of its contact, and whether its time.
    pub roles: &'static [Role],
    /// The name that the event had before, if `was` gives it.
    pub was: Option<&'static str>,
}

impl EventDescription {
    /// Returns whether the event's own fields name its contact.
    pub fn is_identified(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::CreatedAt)
    }

    /// Returns every key of the event, in the order on the wire, with the keys of flattened groups in their place.
    pub fn keys(&self) -> Vec<KeyDescription> {
        fn collect(
            fields: &'static [FieldDescription],
            group: Option<&GroupDescription>,
            keys: &mut Vec<KeyDescription>,
        ) {
            for field in fields {
                match field {
                    FieldDescription::Key(key, doc, value) => keys.push(KeyDescription {
                        key,
                        doc: doc.trim(),
                        kind: value.kind,
                        optional: value.optional || group.is_some_and(|group| group.optional),
                        texts: value.texts,
                        truncated: value.truncated,
                        sensitive: value.sensitive,
                        group: group.map(|group| group.name),
                    }),
                    FieldDescription::Group(inner) => {
                        let optional = group.is_some_and(|group| group.optional);
                        let inner =
                            GroupDescription { optional: optional || inner.optional, ..*inner };
                        collect(inner.fields, Some(&inner), keys);
                    }
                }
            }
        }
        let mut keys = Vec::new();
        collect(self.fields, None, &mut keys);
        keys
    }

    /// The keys whose values are sensitive, with those of flattened groups.
    pub(crate) fn sensitive_keys(&self) -> impl Iterator<Item = &'static str> {
        let mut open = vec![self.fields.iter()];
        iter::from_fn(move || {
            loop {
                match open.last_mut()?.next() {
                    None => drop(open.pop()),
                    Some(FieldDescription::Group(group)) => open.push(group.fields.iter()),
                    Some(FieldDescription::Key(key, _, value)) if value.sensitive => {
                        return Some(*key);
                    }
                    Some(FieldDescription::Key(..)) => {}
                }
            }
        })
    }
}

/// What a field says of the event itself, where it is no metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// The id by which the application knows the contact.
    UserId,
    /// The contact's email address.
    Email,
    /// The id by which Intercom knows the contact.
    ContactId,
    /// The event's time.
    CreatedAt,
}

impl Role {
    /// Every role.
    pub const ALL: &[Role] = &[Role::UserId, Role::Email, Role::ContactId, Role::CreatedAt];

    /// Returns the attribute that gives a field this role: `user_id`, `email`, `contact_id` or `created_at`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::UserId => "user_id",
            Role::Email => "email",
            Role::ContactId => "contact_id",
            Role::CreatedAt => "created_at",
        }
    }
}

/// What is known of one field of an event: it is a key, or a flattened group of keys.
///
/// Short, because the derive writes it for every field of a program.
/// [`EventDescription::keys`] gives the same in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldDescription {
    /// One key, the documentation comment on its field as it was written, and what its values are.
    Key(&'static str, &'static str, ValueDescription),
    /// The keys of a flattened group.
    Group(GroupDescription),
}

/// What is known of a group of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// The name of the group's type.
    pub name: &'static str,
    /// The keys of the group, and the groups in it.
    pub fields: &'static [FieldDescription],
    /// Whether the group may be absent, with all of its keys.
    pub optional: bool,
}

impl GroupDescription {
    /// What the derive calls.
    #[doc(hidden)]
    pub const fn __new(name: &'static str, fields: &'static [FieldDescription]) -> Self {
        GroupDescription { name, fields, optional: false }
    }
}

/// What is known of the values under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueDescription {
    /// What Intercom takes them for.
    pub kind: ValueKind,
    /// Whether there may be none.
    pub optional: bool,
    /// Every text that they can be, of an enum of unit variants. Empty where they can be any text, or are no text.
    pub texts: &'static [&'static str],
    /// Whether text is cut at 255 characters, where longer text is an error otherwise.
    pub truncated: bool,
    /// Whether they are masked wherever the program shows them.
    pub sensitive: bool,
}

impl ValueDescription {
    pub(crate) const fn new(
        kind: ValueKind,
        optional: bool,
        texts: &'static [&'static str],
    ) -> Self {
        ValueDescription { kind, optional, texts, truncated: false, sensitive: false }
    }

    /// What the derive calls for a field that is sent as its `Display` text.
    #[doc(hidden)]
    pub const fn __text(optional: bool) -> Self {
        Self::new(ValueKind::Text, optional, &[])
    }

    /// What the derive calls for a field marked `truncate`.
    #[doc(hidden)]
    #[must_use]
    pub const fn __truncated(self) -> Self {
        ValueDescription { truncated: true, ..self }
    }

    /// What the derive calls for a field marked `sensitive`.
    #[doc(hidden)]
    #[must_use]
    pub const fn __sensitive(self) -> Self {
        ValueDescription { sensitive: true, ..self }
    }
}

/// What is known of one metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyDescription {
    /// The key.
    pub key: &'static str,
    /// The documentation comment on the field; empty when there is none.
    pub doc: &'static str,
    /// What Intercom takes its values for.
    pub kind: ValueKind,
    /// Whether the key is left out when there is no value.
    pub optional: bool,
    /// Every text that its values can be, of an enum of unit variants. Empty where they can be any text, or are no text.
    pub texts: &'static [&'static str],
    /// Whether text is cut at 255 characters, where longer text is an error otherwise.
    pub truncated: bool,
    /// Whether its values are masked wherever the program shows them.
    pub sensitive: bool,
    /// The name of the group's type, where the key comes from a flattened group.
    pub group: Option<&'static str>,
}

/// What an event sends beside itself: the events that one function named by `also` can give.
///
/// ```
/// use intercom_core::IntercomEvent;
///
/// #[derive(IntercomEvent)]
/// #[event(name = "invoice_paid", also = big_invoice)]
/// struct InvoicePaid { cents: u64 }
///
/// #[derive(IntercomEvent)]
/// #[event(name = "big_invoice_paid")]
/// struct BigInvoicePaid { cents: u64 }
///
/// fn big_invoice(paid: &InvoicePaid) -> Option<BigInvoicePaid> {
///     (paid.cents >= 100_000).then_some(BigInvoicePaid { cents: paid.cents })
/// }
///
/// let [also] = InvoicePaid::ALSO else { panic!("one function") };
/// assert_eq!(also.event, "invoice_paid");
/// assert_eq!(also.derived[0].name, "big_invoice_paid");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlsoDescription {
    /// The name of the event that causes the others.
    pub event: &'static str,
    /// What the function's type can send.
    pub derived: &'static [EventDescription],
}

/// What is known of the values of a type, with the type: so that it can be asked for where the type is inferred.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct __DescriptionOf<V: ?Sized>(pub(crate) ValueDescription, pub(crate) PhantomData<fn(&V)>);

/// What a function gives that converts a field. It bounds no type: where what it gives is no value, the constant that the
/// derive hands in says so, in the same words as where the value is encoded, and the compiler shows that once.
#[doc(hidden)]
pub const fn __converted<'a, T, V, F>(of: __DescriptionOf<V>, _convert: &F) -> ValueDescription
where
    T: ?Sized + 'a,
    F: Fn(&'a T) -> V,
{
    of.0
}
