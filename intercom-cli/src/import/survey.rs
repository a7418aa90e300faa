//! Finds the kind of each column, and the forms of numbers and dates, in the values of a file.

use intercom_core::{Currency, ValueKind};

use super::conventions::{DateOrder, Decimal, Evidence};
use super::headers::Role;
use super::mapping::{KeyTarget, MappingFile, Target};
use super::records::{Cells, Content, FileFormat, Records};
use super::source::SourceFile;
use crate::body::Members;
use crate::failure::Failure;

/// The rows of the first sample. If they leave a question open, the survey reads all rows.
const SAMPLE_ROWS: u64 = 1_000;

/// The limit of digits of a whole number. A float cannot hold more, and longer numbers are mostly
/// identifiers.
const MAX_NUMBER_DIGITS: usize = 15;

/// The columns and conventions of a file, which the import finds before it reads events.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub(super) header: Vec<String>,
    /// The role or key of each column, with its kind. Empty for NDJSON, whose lines have names and
    /// kinds.
    pub(super) targets: Vec<Target>,
    pub(super) decimal: Decimal,
    pub(super) order: Option<DateOrder>,
}

/// The conventions that the command line and the mapping choose.
pub(super) struct ChosenConventions<'a> {
    pub(super) mapping: &'a MappingFile,
    pub(super) nulls: &'a [String],
    pub(super) decimal: Option<Decimal>,
    pub(super) order: Option<DateOrder>,
    pub(super) has_zone: bool,
}

impl Survey {
    /// Surveys the file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, when its mapping does not fit its header, and when its
    /// numbers or dates are ambiguous.
    pub(super) fn of(
        source: &SourceFile,
        format: FileFormat,
        named: &ChosenConventions<'_>,
    ) -> Result<Self, Failure> {
        let path = source.path.display();
        let mut sample = Sample::at(source, format, named, SAMPLE_ROWS)?;
        if sample.is_open(named) {
            sample = Sample::at(source, format, named, u64::MAX)?;
        }
        let Sample { header, mut targets, guesses, evidence } = sample;
        for (target, guess) in targets.iter_mut().zip(&guesses) {
            if let Target::Key(key) = target {
                key.kind.get_or_insert(guess.kind());
            }
        }
        let wrong = |what: String| Failure::usage(format!("{path}: {what}"));
        let by_comma = !matches!(format, FileFormat::Csv { delimiter } if delimiter != b',');
        let decimal = match named.decimal {
            Some(decimal) => decimal,
            None => evidence.decimal(by_comma).map_err(wrong)?,
        };
        let order = match named.order {
            Some(order) => Some(order),
            None => evidence.order().map_err(wrong)?,
        };
        if !named.has_zone {
            evidence.expect_zones().map_err(wrong)?;
        }
        Ok(Survey { header, targets, decimal, order })
    }
}

/// The findings from a part of the rows.
#[derive(Default)]
struct Sample {
    header: Vec<String>,
    targets: Vec<Target>,
    guesses: Vec<Guess>,
    evidence: Evidence,
}

impl Sample {
    fn at(
        source: &SourceFile,
        format: FileFormat,
        named: &ChosenConventions<'_>,
        rows: u64,
    ) -> Result<Self, Failure> {
        let path = source.path.display();
        let failed = |error| Failure::file(format!("cannot read {path}"), &error);
        let mut records = Records::new(source.open()?, format);
        let mut sample = Sample::default();
        if let FileFormat::Csv { .. } = format {
            let Some(record) = records.next().map_err(failed)? else { return Ok(sample) };
            let Ok(Content::Cells(header)) = record.content else {
                return Err(Failure::usage(format!(
                    "{path}: the first line is not a header of at most 100 columns; write the \
                     names of the columns there"
                )));
            };
            sample.header = header.iter().map(str::to_owned).collect();
            sample.targets = named.mapping.targets(&sample.header)?;
            sample.guesses = sample.targets.iter().map(|_| Guess::default()).collect();
        }
        let mut row = 0;
        while row < rows
            && let Some(record) = records.next().map_err(failed)?
        {
            match record.content {
                Ok(Content::Cells(cells)) if cells.len() == sample.header.len() => {
                    sample.learn_row(cells, named.nulls);
                }
                Ok(Content::Json(line)) => sample.learn_line(line, named)?,
                _ => {}
            }
            row += 1;
        }
        // Only a column of numbers alone shows how the file writes numbers.
        for (target, guess) in sample.targets.iter().zip(&mut sample.guesses) {
            if let Target::Key(key) = target
                && matches!(key.kind.unwrap_or(guess.kind()), ValueKind::Number | ValueKind::Money)
            {
                guess.numbers.iter().for_each(|number| sample.evidence.number(number));
            }
        }
        Ok(sample)
    }

    fn learn_row(&mut self, cells: Cells<'_>, nulls: &[String]) {
        for (index, target) in self.targets.iter().enumerate() {
            let cell = cells.get(index).trim();
            if cell.is_empty() || nulls.iter().any(|null| null == cell) {
                continue;
            }
            match target {
                Target::Role(Role::CreatedAt) => self.evidence.time(cell),
                Target::Key(KeyTarget { kind: Some(ValueKind::Date), .. }) => {
                    self.evidence.date(cell)
                }
                Target::Key(_) => self.guesses[index].learn(cell),
                _ => {}
            }
        }
    }

    fn learn_line(&mut self, line: &str, named: &ChosenConventions<'_>) -> Result<(), Failure> {
        let Ok(members) = serde_json::from_str::<Members>(line) else { return Ok(()) };
        for (name, json) in &members.0 {
            let Ok(text) = serde_json::from_str::<String>(json.get()) else { continue };
            match named.mapping.target(name)? {
                Target::Role(Role::CreatedAt) => self.evidence.time(text.trim()),
                Target::Key(KeyTarget { kind: Some(ValueKind::Date), .. }) => {
                    self.evidence.date(text.trim());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns whether more rows could decide a question.
    fn is_open(&self, named: &ChosenConventions<'_>) -> bool {
        let is_unknown = |(target, guess): (&Target, &Guess)| {
            matches!(target, Target::Key(KeyTarget { kind: None, .. })) && !guess.is_seen
        };
        let is_settled = named.decimal.is_some() && named.order.is_some();
        self.evidence.is_open() && !is_settled
            || self.targets.iter().zip(&self.guesses).any(is_unknown)
    }
}

/// The kinds that fit all values of a column.
#[derive(Debug)]
struct Guess {
    is_seen: bool,
    boolean: bool,
    number: bool,
    money: bool,
    /// Some numbers of the column, one of each form.
    numbers: Vec<String>,
}

impl Default for Guess {
    fn default() -> Self {
        Guess { is_seen: false, boolean: true, number: true, money: true, numbers: Vec::new() }
    }
}

impl Guess {
    fn learn(&mut self, cell: &str) {
        self.is_seen = true;
        self.boolean &= is_boolean(cell).is_some();
        let amount = match money_parts(cell) {
            Some((amount, _)) => {
                self.number = false;
                amount
            }
            None => {
                self.money = false;
                cell
            }
        };
        let readings = [Decimal::Point, Decimal::Comma].map(|decimal| decimal.number(amount));
        if readings.iter().all(Option::is_none) {
            (self.number, self.money) = (false, false);
            return;
        }
        self.number &= !is_identifier(amount);
        // A second number of the same form adds no information.
        let is_new = !self.numbers.iter().any(|number| form(number) == form(amount));
        if is_new {
            self.numbers.push(amount.to_owned());
        }
    }

    fn kind(&self) -> ValueKind {
        match self {
            Guess { is_seen: false, .. } => ValueKind::Text,
            Guess { boolean: true, .. } => ValueKind::Boolean,
            Guess { number: true, .. } => ValueKind::Number,
            Guess { money: true, .. } => ValueKind::Money,
            _ => ValueKind::Text,
        }
    }
}

/// Returns the readings in which the text is a number, and whether they agree.
fn form(number: &str) -> (bool, bool, bool) {
    let (point, comma) = (Decimal::Point.number(number), Decimal::Comma.number(number));
    (point.is_some(), comma.is_some(), point == comma)
}

/// Returns whether a whole number is an identifier, not a quantity: it begins with a zero, or has
/// more digits than a float holds.
fn is_identifier(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let whole = digits.split(['.', ',']).next().unwrap_or_default();
    whole.len() > 1 && whole.starts_with('0') || whole.len() > MAX_NUMBER_DIGITS
}

/// Reads a boolean.
pub(super) fn is_boolean(cell: &str) -> Option<bool> {
    match cell {
        _ if cell.eq_ignore_ascii_case("true") => Some(true),
        _ if cell.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Splits an amount of money with the code of its currency before or after it.
pub(super) fn money_parts(cell: &str) -> Option<(&str, Currency)> {
    let behind = cell.split_at_checked(cell.len().checked_sub(3)?);
    if let Some((amount, code)) = behind
        && code.bytes().all(|byte| byte.is_ascii_uppercase())
        && let Ok(currency) = code.parse()
    {
        return Some((amount.trim_end(), currency));
    }
    let (code, amount) = cell.split_at_checked(3)?;
    let is_code = code.bytes().all(|byte| byte.is_ascii_uppercase());
    let currency = is_code.then(|| code.parse().ok()).flatten()?;
    Some((amount.trim_start(), currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cells: &[&str]) -> ValueKind {
        let mut guess = Guess::default();
        cells.iter().for_each(|cell| guess.learn(cell));
        guess.kind()
    }

    #[test]
    fn the_kind_of_a_column_is_that_of_all_its_values() {
        for (cells, expected) in [
            (&["1", "-2", "3.5"][..], ValueKind::Number),
            (&["1", "2,5"], ValueKind::Number),
            (&["1", "n/a"], ValueKind::Text),
            (&["true", "FALSE"], ValueKind::Boolean),
            (&["true", "1"], ValueKind::Text),
            (&["349.99EUR", "EUR 1", "1.234,5 JPY"], ValueKind::Money),
            (&["349.99EUR", "1"], ValueKind::Text),
            (&["007"], ValueKind::Text),
            (&["1234567890123456789"], ValueKind::Text),
            (&["5all"], ValueKind::Text),
            (&[], ValueKind::Text),
        ] {
            assert_eq!(kind(cells), expected, "{cells:?}");
        }
    }
}
