//! Errors of rules that failed to load.

use std::fmt;

/// The error of rules that failed to load, with all their mistakes.
#[derive(Clone, PartialEq, Eq)]
pub struct RulesError {
    mistakes: Vec<Mistake>,
}

impl RulesError {
    pub(crate) fn new(mistakes: Vec<Mistake>) -> Self {
        RulesError { mistakes }
    }

    /// Returns the mistakes, by their position in the text.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// A line for each mistake.
impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().enumerate() {
            let end = if number > 0 { "\n" } else { "" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the same text.
impl fmt::Debug for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RulesError {}

/// A mistake in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// The line, and the column in characters, both from 1. `None` for rules from code.
    pub position: Option<(usize, usize)>,
    /// The mistake and its fix.
    pub message: String,
}

impl Mistake {
    pub(crate) fn new(text: Option<&str>, spot: Option<usize>, message: String) -> Self {
        let position = text.zip(spot).map(|(text, spot)| {
            let before = &text[..spot.min(text.len())];
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            (line, column)
        });
        Mistake { position, message }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
