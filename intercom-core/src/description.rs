//! Describes an event as data: for catalogues, documentation and checks.

use std::iter;
use std::marker::PhantomData;

use crate::value::ValueKind;

/// What is known of an event at compile time.
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
#[non_exhaustive]
pub struct EventDescription {
    /// The event's name.
    pub name: &'static str,
    /// The name in the form that comparisons use: in lower case, with each accented letter as one
    /// character.
    pub folded_name: &'static str,
    /// The documentation comment on the event, trimmed. Empty without a comment.
    pub doc: &'static str,
    /// The metadata, in the order of the fields.
    pub fields: &'static [FieldDescription],
    /// The most keys that the event may have: 10, unless `max_keys` raises it.
    pub max_keys: usize,
    /// The event's role fields: its contact's identifiers and its time.
    pub roles: &'static [Role],
    /// The event's earlier name, if `was` gives one.
    pub was: Option<&'static str>,
}

impl EventDescription {
    /// The derive calls this for an event with roles.
    #[doc(hidden)]
    #[must_use]
    pub const fn __with_roles(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// The derive calls this for an event with an earlier name.
    #[doc(hidden)]
    #[must_use]
    pub const fn __with_earlier_name(mut self, was: &'static str) -> Self {
        self.was = Some(was);
        self
    }

    /// Returns whether the event's own fields name its contact.
    pub fn is_identified(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::CreatedAt)
    }

    /// Returns every key of the event in the order of the request. The keys of a flattened group
    /// stand in place of its field.
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

    /// Returns the sensitive keys, with those of flattened groups.
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

/// The role of a field that is not metadata.
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

    /// Returns the attribute that gives a field this role: `user_id`, `email`, `contact_id` or
    /// `created_at`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::UserId => "user_id",
            Role::Email => "email",
            Role::ContactId => "contact_id",
            Role::CreatedAt => "created_at",
        }
    }
}

/// One field of an event: a key, or a flattened group of keys.
///
/// The form is compact, because the derive writes it for every field of a program.
/// [`EventDescription::keys`] returns the same in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldDescription {
    /// A key, the documentation comment on its field as written, and its values.
    Key(&'static str, &'static str, ValueDescription),
    /// The keys of a flattened group.
    Group(GroupDescription),
}

/// A group of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// The name of the group's type.
    pub name: &'static str,
    /// The keys of the group, and the groups in it.
    pub fields: &'static [FieldDescription],
    /// Whether the group may be absent with all its keys.
    pub optional: bool,
}

/// The values that a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueDescription {
    /// The kind of value, which decides how Intercom shows it.
    pub kind: ValueKind,
    /// Whether the value may be absent.
    pub optional: bool,
    /// Every text that an enum of unit variants can be. Empty for other types.
    pub texts: &'static [&'static str],
    /// Whether text is cut at 255 characters. Otherwise longer text is an error.
    pub truncated: bool,
    /// Whether the program masks the values wherever it shows them.
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

    /// The derive calls this for a field marked `truncate`.
    #[doc(hidden)]
    #[must_use]
    pub const fn __truncated(self) -> Self {
        ValueDescription { truncated: true, ..self }
    }

    /// The derive calls this for a field marked `sensitive`.
    #[doc(hidden)]
    #[must_use]
    pub const fn __sensitive(self) -> Self {
        ValueDescription { sensitive: true, ..self }
    }
}

/// One metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyDescription {
    /// The key.
    pub key: &'static str,
    /// The documentation comment on the field. Empty without a comment.
    pub doc: &'static str,
    /// The kind that Intercom shows.
    pub kind: ValueKind,
    /// Whether the key is omitted when it has no value.
    pub optional: bool,
    /// Every text that an enum of unit variants can be. Empty for other types.
    pub texts: &'static [&'static str],
    /// Whether text is cut at 255 characters. Otherwise longer text is an error.
    pub truncated: bool,
    /// Whether the program masks the values wherever it shows them.
    pub sensitive: bool,
    /// The name of the group's type, for a key of a flattened group.
    pub group: Option<&'static str>,
}

/// The events that one function named by `also` can derive from an event.
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
    /// The events that the function's return type can send.
    pub derived: &'static [EventDescription],
}

/// Describes an event without roles and without an earlier name, as most events are. The derive
/// calls this function.
pub const fn event_description(
    name: &'static str,
    folded_name: &'static str,
    doc: &'static str,
    fields: &'static [FieldDescription],
    max_keys: usize,
) -> EventDescription {
    EventDescription { name, folded_name, doc, fields, max_keys, roles: &[], was: None }
}

/// Describes a group of keys. The derive calls this function.
pub const fn group_description(
    name: &'static str,
    fields: &'static [FieldDescription],
) -> GroupDescription {
    GroupDescription { name, fields, optional: false }
}

/// Describes a field that is sent as its `Display` text. The derive calls this function.
pub const fn text_description(optional: bool) -> ValueDescription {
    ValueDescription::new(ValueKind::Text, optional, &[])
}

/// The description of a type's values, tied to the type, so that the compiler can infer the type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct __DescriptionOf<V: ?Sized>(pub(crate) ValueDescription, pub(crate) PhantomData<fn(&V)>);

/// The description of what a field's conversion function returns. It has no bound on the type. A
/// return type that is no value fails the same bound here and where the value is encoded, so the
/// compiler reports it once.
#[doc(hidden)]
pub const fn __converted<'a, T, V, F>(of: __DescriptionOf<V>, _convert: &F) -> ValueDescription
where
    T: ?Sized + 'a,
    F: Fn(&'a T) -> V,
{
    of.0
}
