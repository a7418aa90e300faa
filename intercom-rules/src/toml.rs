//! Reads rules from TOML, with the position of everything that can be wrong.

use intercom_core::{Catalogue, Currency, Money, Timestamp};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::condition::{Expression, Leaf, Operand, Test};
use crate::error::{Mistake, RulesError};
use crate::load::{Rules, load};
use crate::rule::{AlsoSend, Rule, Spotted};

impl Rules {
    /// Loads rules from TOML, and checks them against a catalogue.
    ///
    /// # Errors
    ///
    /// Fails when the text is not TOML, or a rule has an unknown member. Fails as
    /// [`RulesBuilder::build`](crate::RulesBuilder::build) does. Each mistake has its line and
    /// column.
    pub fn from_toml(text: &str, catalogue: &Catalogue) -> Result<Self, RulesError> {
        parse(text, Some(catalogue))
    }

    /// Loads rules of a program that has no catalogue. This does not check names of events and
    /// keys, nor kinds of values, against the program's types.
    ///
    /// # Errors
    ///
    /// Fails when the text is not TOML, or a rule has an unknown member. Fails as
    /// [`RulesBuilder::build_unchecked`](crate::RulesBuilder::build_unchecked) does.
    pub fn from_toml_unchecked(text: &str) -> Result<Self, RulesError> {
        parse(text, None)
    }
}

fn parse(text: &str, catalogue: Option<&Catalogue>) -> Result<Rules, RulesError> {
    let mut reader = Reader { text, mistakes: Vec::new() };
    let rules = match DeTable::parse(text) {
        Ok(table) => reader.rules(table.get_ref()),
        Err(error) => {
            let spot = error.span().map(|span| span.start);
            reader.mistakes.push(Mistake::new(Some(text), spot, error.message().to_owned()));
            Vec::new()
        }
    };
    match (load(rules, catalogue, Some(text)), reader.mistakes) {
        (loaded, mistakes) if mistakes.is_empty() => loaded,
        (loaded, mut mistakes) => {
            let more = loaded.err().into_iter().flat_map(|error| error.mistakes().to_vec());
            mistakes.extend(more);
            mistakes.sort_by_key(|mistake| mistake.position);
            Err(RulesError::new(mistakes))
        }
    }
}

type TomlValue<'t> = Spanned<DeValue<'t>>;

struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn mistake(&mut self, spot: usize, message: impl Into<String>) {
        self.mistakes.push(Mistake::new(Some(self.text), Some(spot), message.into()));
    }

    fn rules(&mut self, table: &DeTable<'_>) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (key, value) in table.iter() {
            match (&**key.get_ref(), value.get_ref()) {
                ("rule", DeValue::Array(all)) => {
                    rules.extend(all.iter().filter_map(|one| self.rule(one)));
                }
                ("rule", _) => self.mistake(
                    spot(value),
                    "a rule begins with `[[rule]]`, in two pairs of brackets",
                ),
                (other, _) => {
                    let message =
                        format!("unknown member `{other}`; each rule begins with `[[rule]]`");
                    self.mistake(key.span().start, message);
                }
            }
        }
        rules
    }

    fn rule(&mut self, value: &TomlValue<'_>) -> Option<Rule> {
        let DeValue::Table(table) = value.get_ref() else {
            self.mistake(spot(value), "a rule is a table; begin it with `[[rule]]`");
            return None;
        };
        let mut rule = Rule::on("");
        rule.spot = Some(spot(value));
        let (mut is_on, mut has_unknown) = (false, false);
        for (key, value) in table.iter() {
            let before = self.mistakes.len();
            match &**key.get_ref() {
                "on" => {
                    is_on = true;
                    rule.on = self.string(value, "on")?;
                }
                "name" => rule.name = self.string(value, "name").map(|name| name.0),
                "when" => rule.when.extend(self.conditions(value, true)),
                "also_send" => rule.also_send.extend(self.also_send(value)),
                "rename" => rule.rename = self.string(value, "rename"),
                "drop" => match value.get_ref() {
                    DeValue::Boolean(drops) => rule.drops = *drops,
                    _ => self.mistake(spot(value), "`drop` is `true` or `false`"),
                },
                other => {
                    let message = format!(
                        "unknown member `{other}` of a rule, expected one of `on`, `name`, `when`, \
                         `also_send`, `rename`, `drop`"
                    );
                    self.mistake(key.span().start, message);
                    has_unknown = true;
                }
            }
            let is_condition = matches!(&**key.get_ref(), "when" | "name");
            rule.is_misread |= !is_condition && self.mistakes.len() > before;
        }
        if !is_on {
            // Reports a misspelled `on` as such.
            if !has_unknown {
                let message = "the rule does not say which event it is on; add `on = \"…\"`";
                self.mistake(spot(value), message);
            }
            return None;
        }
        Some(rule)
    }

    fn string(&mut self, value: &TomlValue<'_>, what: &str) -> Option<Spotted<String>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Spotted(text.to_string(), Some(spot(value)))),
            _ => {
                self.mistake(spot(value), format!("`{what}` is a text in quotes"));
                None
            }
        }
    }

    fn also_send(&mut self, value: &TomlValue<'_>) -> Vec<AlsoSend> {
        let one = match value.get_ref() {
            DeValue::Array(all) => return all.iter().flat_map(|one| self.also_send(one)).collect(),
            DeValue::Table(table) => self.also_send_table(value, table),
            _ => self.string(value, "also_send").map(|name| AlsoSend { name, keys: None }),
        };
        one.into_iter().collect()
    }

    fn also_send_table(&mut self, value: &TomlValue<'_>, table: &DeTable<'_>) -> Option<AlsoSend> {
        let (mut name, mut keys) = (None, None);
        for (member, value) in table.iter() {
            match (&**member.get_ref(), value.get_ref()) {
                ("name", _) => name = self.string(value, "name"),
                ("keys", DeValue::Array(all)) => {
                    keys = Some(all.iter().filter_map(|one| self.string(one, "keys")).collect());
                }
                ("keys", _) => self.mistake(spot(value), "`keys` is a list of keys in quotes"),
                (other, _) => {
                    let message = format!(
                        "unknown member `{other}` of `also_send`, expected `name` or `keys`"
                    );
                    self.mistake(member.span().start, message);
                }
            }
        }
        if name.is_none() {
            self.mistake(spot(value), "`also_send` does not say the name; add `name = \"…\"`");
        }
        Some(AlsoSend { name: name?, keys })
    }

    /// Reads a table of conditions. All of them must hold.
    fn conditions(&mut self, value: &TomlValue<'_>, combines: bool) -> Vec<Expression> {
        let DeValue::Table(table) = value.get_ref() else {
            self.mistake(spot(value), "conditions are a table, as in `{ plan = \"pro\" }`");
            return Vec::new();
        };
        let mut all = Vec::new();
        for (key, value) in table.iter() {
            match &**key.get_ref() {
                name @ ("all" | "any") if combines => {
                    let DeValue::Array(list) = value.get_ref() else {
                        let message = format!(
                            "`{name}` is a list of conditions; a key of that name is written as \
                             `keys = {{ {name} = … }}`"
                        );
                        self.mistake(spot(value), message);
                        continue;
                    };
                    let each = |one| Expression::All(self.conditions(one, true));
                    let list: Vec<_> = list.iter().map(each).collect();
                    if list.is_empty() {
                        self.mistake(spot(value), format!("`{name}` has no conditions; add one"));
                    }
                    all.push(if name == "all" {
                        Expression::All(list)
                    } else {
                        Expression::Any(list)
                    });
                }
                "not" if combines => {
                    let inner = Expression::All(self.conditions(value, true));
                    all.push(Expression::Not(Box::new(inner)));
                }
                "keys" if combines && matches!(value.get_ref(), DeValue::Table(_)) => {
                    all.extend(self.conditions(value, false));
                }
                name => all.extend(self.tests(name, key, value)),
            }
        }
        all
    }

    /// Reads the tests of one key.
    fn tests(
        &mut self,
        name: &str,
        key: &Spanned<DeString<'_>>,
        value: &TomlValue<'_>,
    ) -> Vec<Expression> {
        let place = key.span().start;
        let leaf = |test| Leaf::new(name.to_owned(), test, Some(place));
        let DeValue::Table(table) = value.get_ref() else {
            let operand = self.operand(value);
            return operand.map(|one| Expression::Leaf(leaf(Test::Is(one)))).into_iter().collect();
        };
        let (mut leaves, mut ignores_case) = (Vec::new(), None);
        for (member, value) in table.iter() {
            let test = match &**member.get_ref() {
                "ignore_case" => {
                    match value.get_ref() {
                        DeValue::Boolean(ignores) => {
                            ignores_case = ignores.then(|| member.span().start)
                        }
                        _ => self.mistake(spot(value), "`ignore_case` is `true` or `false`"),
                    }
                    continue;
                }
                "is" => self.operand(value).map(Test::Is),
                "not" => self.operand(value).map(Test::Not),
                "one_of" => self.list(value, "one_of").map(Test::OneOf),
                "contains" => self.string(value, "contains").map(|text| Test::Contains(text.0)),
                "starts_with" => {
                    self.string(value, "starts_with").map(|text| Test::StartsWith(text.0))
                }
                "at_least" => self.operand(value).map(Test::AtLeast),
                "at_most" => self.operand(value).map(Test::AtMost),
                "above" => self.operand(value).map(Test::Above),
                "below" => self.operand(value).map(Test::Below),
                "between" => self.list(value, "between").and_then(|all| {
                    let limits: Result<[Operand; 2], _> = all.try_into();
                    if limits.is_err() {
                        self.mistake(
                            spot(value),
                            "`between` has two limits: `between = [low, high]`",
                        );
                    }
                    limits.ok().map(|[low, high]| Test::Between(low, high))
                }),
                of @ ("present" | "absent") => match value.get_ref() {
                    DeValue::Boolean(is) => {
                        let present = *is == (of == "present");
                        Some(if present { Test::Present } else { Test::Absent })
                    }
                    _ => {
                        self.mistake(spot(value), format!("`{of}` is `true` or `false`"));
                        None
                    }
                },
                other => {
                    let message = format!(
                        "unknown condition `{other}`, expected one of `is`, `not`, `one_of`, \
                         `contains`, `starts_with`, `at_least`, `at_most`, `above`, `below`, \
                         `between`, `present`, `absent`, `ignore_case`"
                    );
                    self.mistake(member.span().start, message);
                    None
                }
            };
            let at = Some(member.span().start);
            leaves.extend(test.map(|test| Leaf { spot: at, ..leaf(test) }));
        }
        if leaves.is_empty() && table.iter().all(|(member, _)| &**member.get_ref() == "ignore_case")
        {
            self.mistake(place, format!("`{name}` has no condition; add one"));
        }
        if ignores_case.is_some() {
            leaves.iter_mut().for_each(Leaf::ignore_case);
        }
        leaves.into_iter().map(Expression::Leaf).collect()
    }

    fn list(&mut self, value: &TomlValue<'_>, what: &str) -> Option<Vec<Operand>> {
        let DeValue::Array(all) = value.get_ref() else {
            self.mistake(spot(value), format!("`{what}` is a list, as in `{what} = [1, 2]`"));
            return None;
        };
        all.iter().map(|one| self.operand(one)).collect()
    }

    fn operand(&mut self, value: &TomlValue<'_>) -> Option<Operand> {
        let operand = match value.get_ref() {
            DeValue::String(text) => {
                return Some(money(text).unwrap_or_else(|| Operand::Text(text.to_string())));
            }
            DeValue::Boolean(boolean) => return Some(Operand::Boolean(*boolean)),
            DeValue::Integer(number) => {
                i128::from_str_radix(number.as_str(), number.radix()).ok().map(Operand::Integer)
            }
            DeValue::Float(number) => number.as_str().parse().ok().map(Operand::Float),
            DeValue::Datetime(date) => timestamp(&date.to_string()).map(Operand::Date),
            DeValue::Array(_) | DeValue::Table(_) => None,
        };
        if operand.is_none() {
            let message = "this is no value to compare with; write a text, a number, `true`, \
                           `false`, money as \"1000.00 EUR\", or a date as 2026-01-31 or \
                           2026-01-31T12:00:00Z";
            self.mistake(spot(value), message);
        }
        operand
    }
}

fn spot(value: &TomlValue<'_>) -> usize {
    value.span().start
}

/// Reads an amount and a currency code in capitals, such as `1000.00 EUR`. Any other text is a
/// text.
fn money(text: &str) -> Option<Operand> {
    let (amount, code) = text.split_once(' ')?;
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let currency: Currency = code.parse().ok().filter(|_| is_code)?;
    Money::from_major(amount, currency).ok().map(Operand::Money)
}

/// Reads a day, as its midnight in UTC, or a moment with its offset.
fn timestamp(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment,
        Err(_) if text.len() > 10 => return None,
        Err(_) => format!("{text}T00:00:00Z").parse().ok()?,
    };
    Some(Timestamp::from_unix_seconds(moment.as_second()))
}
