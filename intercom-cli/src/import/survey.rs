//! Finds the kind of each column, and the forms of numbers and dates, in the values of a file.

use intercom_core::{Currency, ValueKind};

use super::conventions::{DateOrder, Decimal, Evidence};
use super::headers::Role;
use super::mapping::{KeyTarget, MappingFile, Target};
use super::records::{Cells, Content, Format, Records};
use super::source::Source;
use crate::body::Members;
use crate::failure::Failure;

/// The number of rows of the first look. All are where these leave something open.
const ROWS: u64 = 1_000;

/// Whole numbers of more digits are identifiers, mostly, and programs that keep numbers as floats change them.
const MOST_DIGITS: usize = 15;

/// What the import knows of a file before it reads events.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub(super) header: Vec<String>,
    /// What each column is, with its kind. Empty for NDJSON, whose lines say so themselves.
    pub(super) targets: Vec<Target>,
    pub(super) decimal: Decimal,
    pub(super) order: Option<DateOrder>,
}

/// The readings that the command line names.
pub(super) struct Named<'a> {
    pub(super) mapping: &'a MappingFile,
    pub(super) nulls: &'a [String],
    pub(super) decimal: Option<Decimal>,
    pub(super) order: Option<DateOrder>,
    pub(super) has_zone: bool,
}

impl Survey {
    /// Looks at the file.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, when its header and its mapping do not fit, and when its numbers or dates could
    /// mean two things.
    pub(super) fn of(source: &Source, format: Format, named: &Named<'_>) -> Result<Self, Failure> {
        let path = source.path.display();
        let mut looked = Looked::at(source, format, named, ROWS)?;
        if looked.is_open(named) {
            looked = Looked::at(source, format, named, u64::MAX)?;
        }
        let Looked { header, mut targets, guesses, evidence } = looked;
        for (target, guess) in targets.iter_mut().zip(&guesses) {
            if let Target::Key(key) = target {
                key.kind.get_or_insert(guess.kind());
            }
        }
        let wrong = |what: String| Failure::usage(format!("{path}: {what}"));
        let by_comma = !matches!(format, Format::Csv { delimiter } if delimiter != b',');
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

/// What some of the rows say.
#[derive(Default)]
struct Looked {
    header: Vec<String>,
    targets: Vec<Target>,
    guesses: Vec<Guess>,
    evidence: Evidence,
}

impl Looked {
    fn at(source: &Source, format: Format, named: &Named<'_>, rows: u64) -> Result<Self, Failure> {
        let path = source.path.display();
        let failed = |error| Failure::file(format!("cannot read {path}"), &error);
        let mut records = Records::new(source.open()?, format);
        let mut looked = Looked::default();
        if let Format::Csv { .. } = format {
            let Some(record) = records.next().map_err(failed)? else { return Ok(looked) };
            let Ok(Content::Cells(header)) = record.content else {
                return Err(Failure::usage(format!(
                    "{path}: the first line is no header of at most 100 columns; write the names of the columns there"
                )));
            };
            looked.header = header.iter().map(str::to_owned).collect();
            looked.targets = named.mapping.targets(&looked.header)?;
            looked.guesses = looked.targets.iter().map(|_| Guess::default()).collect();
        }
        let mut row = 0;
        while row < rows
            && let Some(record) = records.next().map_err(failed)?
        {
            match record.content {
                Ok(Content::Cells(cells)) if cells.len() == looked.header.len() => {
                    looked.learn_row(cells, named.nulls);
                }
                Ok(Content::Json(line)) => looked.learn_line(line, named)?,
                _ => {}
            }
            row += 1;
        }
        // Only what is a number in every row says how the file writes numbers.
        for (target, guess) in looked.targets.iter().zip(&mut looked.guesses) {
            if let Target::Key(key) = target
                && matches!(key.kind.unwrap_or(guess.kind()), ValueKind::Number | ValueKind::Money)
            {
                guess.numbers.iter().for_each(|number| looked.evidence.number(number));
            }
        }
        Ok(looked)
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

    fn learn_line(&mut self, line: &str, named: &Named<'_>) -> Result<(), Failure> {
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

    /// Whether more rows could settle something.
    fn is_open(&self, named: &Named<'_>) -> bool {
        let is_unknown = |(target, guess): (&Target, &Guess)| {
            matches!(target, Target::Key(KeyTarget { kind: None, .. })) && !guess.is_seen
        };
        let is_settled = named.decimal.is_some() && named.order.is_some();
        self.evidence.is_open() && !is_settled
            || self.targets.iter().zip(&self.guesses).any(is_unknown)
    }
}

/// What the values of a column can all be.
#[derive(Debug)]
struct Guess {
    is_seen: bool,
    boolean: bool,
    number: bool,
    money: bool,
    /// A few numbers that show the form of its numbers.
    numbers: Vec<String>,
}

impl Default for Guess {
    fn default() -> Self {
        Guess { is_seen: false, boolean: true, number: true, money: true, numbers: Vec::new() }
    }
}

/// The limit of kept numbers of a column.
const NUMBERS: usize = 3;

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
        // A form that is there already says nothing more.
        let is_new = !self.numbers.iter().any(|number| form(number) == form(amount));
        if is_new && self.numbers.len() < NUMBERS * NUMBERS {
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

/// Whether two numbers say the same about how numbers are written: by which readings they are one, and the same one.
fn form(number: &str) -> (bool, bool, bool) {
    let (point, comma) = (Decimal::Point.number(number), Decimal::Comma.number(number));
    (point.is_some(), comma.is_some(), point == comma)
}

/// Whether a whole number is an identifier rather than a quantity: it begins with a zero, or has more digits than a float
/// keeps.
fn is_identifier(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let whole = digits.split(['.', ',']).next().unwrap_or_default();
    whole.len() > 1 && whole.starts_with('0') || whole.len() > MOST_DIGITS
}

/// Reads a boolean.
pub(super) fn is_boolean(cell: &str) -> Option<bool> {
    match cell {
        _ if cell.eq_ignore_ascii_case("true") => Some(true),
        _ if cell.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Splits an amount of money with the code of its currency before or behind it.
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
