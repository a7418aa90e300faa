//! The rules for changes. Each has a class, a sentence and a fix.

use std::fmt;

/// The effect of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// Filters and messages in Intercom no longer match, or match something else. Or the program no
    /// longer masks a sensitive key.
    Break,
    /// Intercom does not support the change: it takes effect late, or never.
    Frozen,
    /// A harmless change, for information.
    Note,
}

impl Class {
    /// Returns whether a change of this class needs an `allow` line in the lock.
    pub fn needs_allowance(self) -> bool {
        self != Class::Note
    }

    /// Returns the class in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Break => "break",
            Class::Frozen => "frozen",
            Class::Note => "note",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident $id:literal $class:ident $sentence:literal $fix:literal;)*) => {
        /// A rule that covers a kind of change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {$(
            #[doc = concat!("`", $id, "`, a ", stringify!($class), ". ", $sentence)]
            $rule,
        )*}

        impl Rule {
            /// Every rule, the most serious first.
            pub const ALL: &[Rule] = &[$(Rule::$rule),*];

            /// Returns the rule of this id, if there is one.
            pub fn by_id(id: &str) -> Option<Rule> {
                Rule::ALL.iter().copied().find(|rule| rule.id() == id)
            }

            /// Returns the rule's name in a lock.
            pub const fn id(self) -> &'static str {
                match self {$(Rule::$rule => $id),*}
            }

            /// Returns the class of such a change.
            pub const fn class(self) -> Class {
                match self {$(Rule::$rule => Class::$class),*}
            }

            /// Returns the effect of such a change, as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self {$(Rule::$rule => $sentence),*}
            }

            /// Returns the fix, as a sentence.
            pub const fn fix(self) -> &'static str {
                match self {$(Rule::$rule => $fix),*}
            }
        }
    };
}

rules! {
    EventRemoved "EVENT_REMOVED" Break
        "Messages and filters in Intercom that use the event no longer match."
        "Keep the event. If it has a new name, write `#[event(was = \"…\")]` with the earlier one.";
    EventRenamed "EVENT_RENAMED" Break
        "Intercom knows an event by its name. Messages, filters and counts stay with the earlier \
         name."
        "Keep the name. If it must change, change Intercom's messages and filters too.";
    NameReused "NAME_REUSED" Break
        "Intercom still has the counts and keys of the earlier event of this name."
        "Choose a name that no event had.";
    ContactRoleChanged "CONTACT_ROLE_CHANGED" Break
        "The event names its contact by another identifier, and may reach another contact in \
         Intercom."
        "Keep the role fields.";
    KeyRemoved "KEY_REMOVED" Break
        "Filters in Intercom on this key no longer match."
        "Keep the key.";
    KeyRenamed "KEY_RENAMED" Break
        "Filters in Intercom on the earlier key no longer match. Intercom can take 24 hours to \
         show the new key."
        "Keep the key: `#[event(rename = \"…\")]` on the field.";
    KindChanged "KIND_CHANGED" Break
        "Intercom keeps the first kind of a key. Filters compare the new values by that kind."
        "Keep the kind. Or send the new kind under a new key of a new event.";
    KeyPushedOut "KEY_PUSHED_OUT" Break
        "The key is no longer among the first ten. Intercom may drop the keys after those."
        "Put new keys after it.";
    TextRemoved "TEXT_REMOVED" Break
        "Messages and filters in Intercom that use the text no longer match."
        "Keep the variant of the enum. If it has a new name, write `#[event(rename = \"…\")]` \
         with the text.";
    SensitiveRemoved "SENSITIVE_REMOVED" Break
        "Logs, errors and views of the program no longer mask the values of the key."
        "Mark the field with `#[event(sensitive)]`.";
    KeyAdded "KEY_ADDED" Frozen
        "Intercom says: \"It is not possible to change the metadata keys once the event has been \
         sent; a new event will need to be created with the new keys.\""
        "Send a new event with the key. Or allow the change: Intercom can take 24 hours to show \
         the key.";
    EventAdded "EVENT_ADDED" Note
        "The new event takes one of Intercom's 120 names."
        "Nothing.";
    EarlierNameAdded "EARLIER_NAME_ADDED" Note
        "The lock does not have the event's earlier name. It will keep that name as retired."
        "Nothing.";
    BudgetNear "BUDGET_NEAR" Note
        "The program uses nine tenths of its event names."
        "Archive event names in Intercom that nobody uses, and remove their types.";
    BudgetChanged "BUDGET_CHANGED" Note
        "The program has another limit of event names."
        "Nothing.";
    NameCaseChanged "NAME_CASE_CHANGED" Note
        "The event's name has another spelling. Intercom takes both for one name."
        "Nothing.";
    TimeRoleChanged "TIME_ROLE_CHANGED" Note
        "The event's time has another source: a field of the event, or the moment of sending."
        "Nothing, unless somebody compares earlier and later times in Intercom.";
    DerivedChanged "DERIVED_CHANGED" Note
        "The program sends other events beside this event."
        "Nothing, unless a message in Intercom waits for an event that is gone.";
    KeyOrderChanged "KEY_ORDER_CHANGED" Note
        "The keys have another order. If an event has too many keys, Intercom keeps the first ones."
        "Nothing.";
    KeyCaseChanged "KEY_CASE_CHANGED" Note
        "The key has another spelling. Intercom takes both for one key."
        "Nothing.";
    KeyNowOptional "KEY_NOW_OPTIONAL" Note
        "Some events may lack the key. Filters on the key do not match those events."
        "Nothing, unless a filter relies on the key.";
    KeyNowRequired "KEY_NOW_REQUIRED" Note
        "Every event has the key."
        "Nothing.";
    TextAdded "TEXT_ADDED" Note
        "The key has a further text. Filters that list its texts do not match the new one."
        "Nothing, unless a filter should match it.";
    TextsChanged "TEXTS_CHANGED" Note
        "The key changes between any text and a list of texts, or its texts have another order."
        "Nothing.";
    TruncationChanged "TRUNCATION_CHANGED" Note
        "The program cuts text of more than 255 characters, and refused it before, or the reverse."
        "Nothing.";
    SensitiveAdded "SENSITIVE_ADDED" Note
        "Logs, errors and views of the program mask the values of the key. Intercom still gets \
         them."
        "Nothing.";
    DocChanged "DOC_CHANGED" Note
        "The documentation differs in its first paragraph."
        "Nothing.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
