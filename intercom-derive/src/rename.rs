//! The forms that `rename_all` gives to keys, and to the variants of a value.

use syn::LitStr;

/// A form of key, made from a field's name in snake case.
#[derive(Clone, Copy)]
pub(crate) enum RenameRule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

const RULES: &[(&str, RenameRule)] = &[
    ("lowercase", RenameRule::Lower),
    ("UPPERCASE", RenameRule::Upper),
    ("PascalCase", RenameRule::Pascal),
    ("camelCase", RenameRule::Camel),
    ("snake_case", RenameRule::Snake),
    ("SCREAMING_SNAKE_CASE", RenameRule::ScreamingSnake),
    ("kebab-case", RenameRule::Kebab),
    ("SCREAMING-KEBAB-CASE", RenameRule::ScreamingKebab),
];

impl RenameRule {
    pub(crate) fn from_literal(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        RULES.iter().find(|(name, _)| *name == text).map(|(_, rule)| *rule).ok_or_else(|| {
            let names: Vec<_> = RULES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            let message = match meant(&text) {
                Some(name) => format!("unknown form of key, did you mean \"{name}\"?"),
                None => format!("unknown form of key, expected one of {}", names.join(", ")),
            };
            syn::Error::new(literal.span(), message)
        })
    }

    pub(crate) fn apply(self, field: &str) -> String {
        match self {
            RenameRule::Lower | RenameRule::Snake => field.to_owned(),
            RenameRule::Upper | RenameRule::ScreamingSnake => field.to_uppercase(),
            RenameRule::Kebab => field.replace('_', "-"),
            RenameRule::ScreamingKebab => field.to_uppercase().replace('_', "-"),
            RenameRule::Pascal => field.split('_').map(capitalized).collect(),
            RenameRule::Camel => {
                let mut words = field.split('_').filter(|word| !word.is_empty());
                let first = words.next().unwrap_or_default().to_owned();
                words.map(capitalized).fold(first, |key, word| key + &word)
            }
        }
    }

    /// Returns this form of a variant's name, which is in Pascal case.
    pub(crate) fn apply_to_variant(self, variant: &str) -> String {
        match self {
            RenameRule::Pascal => variant.to_owned(),
            RenameRule::Lower => variant.to_lowercase(),
            RenameRule::Upper => variant.to_uppercase(),
            RenameRule::Camel => {
                let mut chars = variant.chars();
                let first = chars.next().map(char::to_lowercase);
                first.into_iter().flatten().chain(chars).collect()
            }
            _ => self.apply(&snake_case(variant)),
        }
    }
}

/// Returns the form that has these letters, whatever separates them.
fn meant(text: &str) -> Option<&'static str> {
    let letters = |text: &str| text.to_lowercase().replace(|c: char| !c.is_alphabetic(), "");
    let beginning = letters(text);
    let mut near =
        RULES.iter().map(|(name, _)| *name).filter(|name| letters(name).starts_with(&beginning));
    match (near.next(), near.next()) {
        (Some(name), None) => Some(name),
        _ => None,
    }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Returns a type's name in snake case, to suggest as an event name.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
