//! What the compiler knows of an event, as data: for catalogues, documentation and checks.

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
    /// Whether the event's own fields name its contact.
    pub identified: bool,
}

impl EventDescription {
    /// Every key of the event, in the order on the wire, with those of flattened groups in their place.
    pub fn keys(&self) -> Vec<KeyDescription> {
        fn collect(fields: &'static [FieldDescription], keys: &mut Vec<KeyDescription>) {
            for field in fields {
                match *field {
                    FieldDescription::Key(key, doc, ValueDescription { kind, optional }) => {
                        keys.push(KeyDescription { key, doc: doc.trim(), kind, optional });
                    }
                    FieldDescription::Group(fields) => collect(fields, keys),
                }
            }
        }
        let mut keys = Vec::new();
        collect(self.fields, &mut keys);
        keys
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
    Group(&'static [FieldDescription]),
}

/// What is known of the values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueDescription {
    /// What Intercom takes them for.
    pub kind: ValueKind,
    /// Whether there may be none.
    pub optional: bool,
}

/// What is known of one metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// The key.
    pub key: &'static str,
    /// The documentation comment on the field; empty when there is none.
    pub doc: &'static str,
    /// What Intercom takes its values for.
    pub kind: ValueKind,
    /// Whether the key is left out when there is no value.
    pub optional: bool,
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
