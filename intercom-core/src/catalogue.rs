//! Lists the events that a program can send, as a constant.

use crate::check;
use crate::description::{AlsoDescription, EventDescription};
use crate::event::IntercomEvent;

/// The events that a program can send: a list in a static, which
/// [`catalogue!`](crate::catalogue!) makes.
///
/// `intercom-catalogue` writes documentation and the lock file from the list. Rules are checked
/// against it.
#[derive(Debug)]
pub struct Catalogue {
    name: &'static str,
    doc: &'static str,
    budget: usize,
    entries: &'static [Entry],
}

/// One line of a catalogue.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// A type.
    Type(TypeDescription),
    /// The lines of another catalogue.
    Catalogue(&'static Catalogue),
}

/// A type that a catalogue lists, with the events that it can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeDescription {
    /// The type, as the catalogue writes it.
    pub name: &'static str,
    /// The events that the type can send: one for a struct, one per variant for an enum.
    pub events: &'static [EventDescription],
    /// The events that `also` sends beside them.
    pub also: &'static [AlsoDescription],
    pub(crate) is_dynamic: bool,
}

impl TypeDescription {
    /// `catalogue!` calls this.
    #[doc(hidden)]
    pub const fn __of<E: IntercomEvent>(name: &'static str) -> Self {
        TypeDescription { name, events: E::EVENTS, also: E::ALSO, is_dynamic: E::__IS_DYNAMIC }
    }
}

impl Catalogue {
    /// The most event names that an Intercom workspace can have: 120.
    pub const MAX_BUDGET: usize = 120;

    /// `catalogue!` calls this.
    #[doc(hidden)]
    pub const fn __new(
        name: &'static str,
        doc: &'static str,
        budget: usize,
        entries: &'static [Entry],
    ) -> Self {
        Catalogue { name, doc, budget, entries }
    }

    /// Refuses a line that fails a check of the compiler's. `catalogue!` calls this.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __check(&self, line: usize) {
        check::entry(self.entries, line, self.budget);
    }

    /// Returns the name of the static.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the documentation comment on the static, or an empty text.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// Returns the most event names that the catalogue may have: 120, unless `#[budget(…)]` lowers
    /// it.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Returns the types in the order of the list. The types of another catalogue stand where the
    /// list names it.
    pub fn types(&self) -> impl Iterator<Item = &'static TypeDescription> {
        fn collect(entries: &'static [Entry], types: &mut Vec<&'static TypeDescription>) {
            for entry in entries {
                match entry {
                    Entry::Type(listed) => types.push(listed),
                    Entry::Catalogue(other) => collect(other.entries, types),
                }
            }
        }
        let mut types = Vec::new();
        collect(self.entries, &mut types);
        types.into_iter()
    }

    /// Returns the events, in the order of the list.
    pub fn events(&self) -> impl Iterator<Item = &'static EventDescription> {
        self.types().flat_map(|listed| listed.events)
    }

    /// Returns the event of this name. Intercom ignores case in names, and so does this lookup. It
    /// also ignores whether an accented letter is one character or a letter and a combining accent.
    pub fn event(&self, name: &str) -> Option<&'static EventDescription> {
        let folded = crate::rules::fold(name);
        self.events().find(|event| event.folded_name == folded)
    }

    /// Returns the events that `also` sends beside the event of this name.
    pub fn also(&self, name: &str) -> impl Iterator<Item = &'static AlsoDescription> {
        let folded = crate::rules::fold(name);
        let all = self.types().flat_map(|listed| listed.also);
        all.filter(move |also| crate::rules::fold(also.event) == folded)
    }

    pub(crate) const fn entries(&self) -> &'static [Entry] {
        self.entries
    }
}

/// Lists the events of a program in a static [`Catalogue`].
///
/// ```
/// use intercom_core::{IntercomEvent, catalogue};
///
/// #[derive(IntercomEvent)]
/// enum ProjectEvent<'a> {
///     #[event(name = "project_created")]
///     Created { project_name: &'a str },
///     #[event(name = "project_deleted")]
///     Deleted { project_name: &'a str },
/// }
///
/// mod billing {
///     use intercom_core::{IntercomEvent, catalogue};
///
///     #[derive(IntercomEvent)]
///     #[event(name = "invoice_paid")]
///     pub struct InvoicePaid { pub cents: u64 }
///
///     catalogue! { pub static BILLING: InvoicePaid }
/// }
///
/// catalogue! {
///     /// What happens at Acme.
///     #[budget(90)]
///     pub static ACME: ProjectEvent<'_>, ..billing::BILLING
/// }
///
/// let names: Vec<_> = ACME.events().map(|event| event.name).collect();
/// assert_eq!(names, ["project_created", "project_deleted", "invoice_paid"]);
/// assert_eq!((ACME.budget(), ACME.doc()), (90, "What happens at Acme."));
/// ```
///
/// Each entry is a type that derives [`IntercomEvent`](derive@crate::IntercomEvent), or `..` and
/// another catalogue. An Intercom workspace can have 120 event names. `#[budget(…)]` lowers that
/// limit, for a workspace that other programs send events to.
///
/// # What does not compile
///
/// - Two events with the same name, or with names that differ only in case, also from two
///   catalogues.
/// - More names than the limit.
/// - A type that is listed twice.
/// - An event that `also` derives, and that the list does not have.
/// - An earlier name (`was`) that an event of the list has now.
/// - A [`DynamicEvent`](crate::DynamicEvent), whose names are known only at run time.
///
/// ```compile_fail
/// use intercom_core::{IntercomEvent, catalogue};
///
/// #[derive(IntercomEvent)]
/// #[event(name = "project_created")]
/// struct ProjectCreated;
///
/// #[derive(IntercomEvent)]
/// #[event(name = "Project_Created")]
/// struct ProjectMade;
///
/// catalogue! { static ACME: ProjectCreated, ProjectMade }
/// ```
#[macro_export]
macro_rules! catalogue {
    ($($list:tt)*) => {
        $crate::__private_0_1_0::catalogue! { ($crate) $($list)* }
    };
}
