//! The rules for changes: each with its class, its sentence and its fix.

use std::fmt;

/// The effect of a change in Intercom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// Filters and messages no longer match, or match something else.
    Break,
    /// Intercom does not support the change: it takes effect late or never.
    Frozen,
    /// A harmless change, for information.
    Note,
}

impl Class {
    /// Returns whether a change of this class needs an allowance.
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

            /// Returns what to do about it.
            pub const fn fix(self) -> &'static str {
                match self {$(Rule::$rule => $fix),*}
            }
        }
    };
}

rules! {
    EventRemoved "EVENT_REMOVED" Break
        "Messages and filters in Intercom that wait for the event wait in vain."
        "Keep the event. If it has another name now, say so with `#[event(was = \"…\")]`.";
    EventRenamed "EVENT_RENAMED" Break
        "Intercom knows events by name: messages, filters and counts of the earlier name stay with that name."
        "Keep the name. Where it has to change, change it in Intercom's messages too.";
    NameReused "NAME_REUSED" Break
        "The name was given up before: Intercom still has the counts and keys of the event that had it."
        "Choose a name that no event had.";
    ContactRoleChanged "CONTACT_ROLE_CHANGED" Break
        "The event names its contact in another way, and may meet another contact in Intercom."
        "Keep the role fields.";
    KeyRemoved "KEY_REMOVED" Break
        "Filters in Intercom that use the key match nothing any more."
        "Keep the key.";
    KeyRenamed "KEY_RENAMED" Break
        "Filters in Intercom that use the earlier key match nothing any more, and Intercom shows the new one after up to a day."
        "Keep the key: `#[event(rename = \"…\")]` on the field.";
    KindChanged "KIND_CHANGED" Break
        "Intercom keeps the first kind of a key: filters compare the new values in the wrong way."
        "Keep the kind, or send the new kind under a new key of a new event.";
    KeyPushedOut "KEY_PUSHED_OUT" Break
        "The key was among the first ten, which Intercom keeps by every description, and is not any more."
        "Put the new keys behind it.";
    TextRemoved "TEXT_REMOVED" Break
        "Messages and filters in Intercom that wait for the text wait in vain."
        "Keep the variant of the enum. If it has another name now, say so with `#[event(rename = \"…\")]`.";
    SensitiveRemoved "SENSITIVE_REMOVED" Break
        "The values of the key are no longer masked in logs, errors and views of the program."
        "Mark the field with `#[event(sensitive)]`.";
    KeyAdded "KEY_ADDED" Frozen
        "Intercom says: \"It is not possible to change the metadata keys once the event has been sent; a new event will need to be created with the new keys.\""
        "Send a new event with the key. Where that is too much, allow it: filters see the key after up to 24 hours.";
    EventAdded "EVENT_ADDED" Note
        "The event is new, and uses up one of Intercom's 120 names."
        "Nothing.";
    EarlierNameAdded "EARLIER_NAME_ADDED" Note
        "The event had a name that the lock does not know. It is kept as one that is not to come back."
        "Nothing.";
    BudgetNear "BUDGET_NEAR" Note
        "Nine tenths of the event names are used up."
        "Archive event names in Intercom that nobody uses, and remove their types.";
    BudgetChanged "BUDGET_CHANGED" Note
        "The number of event names that the program may have is another one."
        "Nothing.";
    NameCaseChanged "NAME_CASE_CHANGED" Note
        "The event's name is written in another way, which is the same name to Intercom."
        "Nothing.";
    TimeRoleChanged "TIME_ROLE_CHANGED" Note
        "The event's time comes from another place: its own field, or the moment of sending."
        "Nothing, unless the times in Intercom are to be comparable.";
    DerivedChanged "DERIVED_CHANGED" Note
        "Other events are sent beside it than before."
        "Nothing, unless a message in Intercom waits for one that is no longer sent.";
    KeyOrderChanged "KEY_ORDER_CHANGED" Note
        "The keys are sent in another order. Intercom keeps the first ones where there are too many."
        "Nothing.";
    KeyCaseChanged "KEY_CASE_CHANGED" Note
        "The key is written in another way, which is the same key to Intercom."
        "Nothing.";
    KeyNowOptional "KEY_NOW_OPTIONAL" Note
        "The key may be left out: filters that compare it no longer match those events."
        "Nothing, unless a filter relies on the key.";
    KeyNowRequired "KEY_NOW_REQUIRED" Note
        "The key is always sent."
        "Nothing.";
    TextAdded "TEXT_ADDED" Note
        "The key can be a text that it was never before: filters that list the others do not match it."
        "Nothing, unless a filter is to match it.";
    TextsChanged "TEXTS_CHANGED" Note
        "The key can be any text where its texts were listed, or the other way round, or they are in another order."
        "Nothing.";
    TruncationChanged "TRUNCATION_CHANGED" Note
        "Text of more than 255 characters is cut where it was an error before, or the other way round."
        "Nothing.";
    SensitiveAdded "SENSITIVE_ADDED" Note
        "The values of the key are masked in logs, errors and views of the program from now on. They are still sent."
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
