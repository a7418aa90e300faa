//! Reads a lock, and reports the first invalid line.

use std::collections::HashSet;

use intercom_core::rules::fold;
use intercom_core::{Catalogue, Role, ValueKind};

use super::{Allowance, Lock, Retired};
use crate::plan::{Plan, PlannedEvent, PlannedKey};
use crate::rule::Rule;

/// The error of parsing a text that is not a lock: its first invalid line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LockSyntaxError {
    line: usize,
    problem: String,
}

impl LockSyntaxError {
    /// Returns the number of the line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

const WORDS: &str = "`version`, `budget`, `event`, `key`, `texts`, `also`, `retired`, `renamed`, \
                     `allowed` or `allow`";

pub(super) fn parse(text: &str) -> Result<Lock, LockSyntaxError> {
    let plan = Plan {
        name: String::new(),
        doc: String::new(),
        budget: Catalogue::MAX_BUDGET,
        events: Vec::new(),
    };
    let mut reader = Reader {
        lock: Lock { plan, retired: Vec::new(), allowed: Vec::new(), pending: Vec::new() },
        versioned: false,
        names: HashSet::new(),
    };
    for (at, line) in text.lines().enumerate() {
        let failed = |problem| LockSyntaxError { line: at + 1, problem };
        if is_conflict(line) {
            let problem = "a merge conflict of git: remove its marks, and write the lock again \
                           with `UPDATE_EVENTS_LOCK=1 cargo test`";
            return Err(failed(problem.into()));
        }
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            reader.line(line).map_err(failed)?;
        }
    }
    if !reader.versioned {
        let line = text.lines().count().max(1);
        return Err(LockSyntaxError { line, problem: "the line `version 1` is missing".into() });
    }
    let mut lock = reader.lock;
    lock.plan.sort();
    lock.retired.sort();
    lock.allowed.sort();
    lock.pending.sort();
    Ok(lock)
}

fn is_conflict(line: &str) -> bool {
    ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| line.starts_with(mark))
}

struct Reader {
    lock: Lock,
    versioned: bool,
    /// The folded names of the events so far.
    names: HashSet<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut tokens = Tokens(line);
        let keyword = tokens.word("a keyword")?;
        if !self.versioned && keyword != "version" {
            return Err(format!("the first line must be `version 1`, not `{keyword}`"));
        }
        match keyword.as_str() {
            "version" => {
                let version = tokens.word("the version")?;
                if version != "1" {
                    return Err(format!(
                        "the version of this lock is `{version}`, and this program reads version \
                         1: use a newer program"
                    ));
                }
                self.versioned = true;
            }
            "budget" => {
                let budget = tokens.word("a number")?;
                let number = budget
                    .parse()
                    .ok()
                    .filter(|number| (1..=Catalogue::MAX_BUDGET).contains(number));
                self.lock.plan.budget = number
                    .ok_or_else(|| format!("a budget is a number from 1 to 120, not `{budget}`"))?;
            }
            "event" => self.event(&mut tokens)?,
            "key" => self.key(&mut tokens)?,
            "texts" => self.texts(&mut tokens)?,
            "also" => {
                let also = tokens.name("an event's name")?;
                self.last("also")?.also.push(also);
            }
            "retired" => {
                let name = tokens.name("an event's name")?;
                self.lock.retired.push(Retired { name, successor: None });
            }
            "renamed" => {
                let name = tokens.name("an event's earlier name")?;
                let successor = Some(tokens.name("an event's name")?);
                self.lock.retired.push(Retired { name, successor });
            }
            "allowed" => {
                let allowance = allowance(&mut tokens)?;
                self.lock.allowed.push(allowance);
            }
            "allow" => {
                let allowance = allowance(&mut tokens)?;
                self.lock.pending.push(allowance);
            }
            other => return Err(format!("`{other}` does not begin a line: expected {WORDS}")),
        }
        tokens.end()
    }

    fn event(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        let name = tokens.name("an event's name")?;
        if !self.names.insert(fold(&name)) {
            return Err(format!("event `{name}` is there already: remove one"));
        }
        let mut event = PlannedEvent {
            name,
            doc: String::new(),
            roles: Vec::new(),
            keys: Vec::new(),
            also: Vec::new(),
            was: None,
        };
        while let Some(token) = tokens.next()? {
            match token {
                Token::Text(doc) => {
                    event.doc = doc;
                    break;
                }
                Token::Word(word) => {
                    let role = Role::ALL.iter().find(|role| role.as_str() == word);
                    event.roles.push(*role.ok_or_else(|| {
                        format!(
                            "`{word}` is not a role: expected `user_id`, `email`, `contact_id` \
                                 or `created_at`"
                        )
                    })?);
                }
            }
        }
        event.roles.sort_unstable();
        self.lock.plan.events.push(event);
        Ok(())
    }

    fn key(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        let key = tokens.name("a key")?;
        let kind = tokens.word("the kind of the key's values")?;
        let kind = ValueKind::ALL.iter().find(|known| known.as_str() == kind).ok_or_else(|| {
            let kinds: Vec<_> =
                ValueKind::ALL.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
            format!("`{kind}` is not a kind: expected one of {}", kinds.join(", "))
        })?;
        let mut key = PlannedKey {
            key,
            doc: String::new(),
            kind: *kind,
            optional: false,
            texts: Vec::new(),
            truncated: false,
            sensitive: false,
            group: None,
        };
        while let Some(token) = tokens.next()? {
            match token {
                Token::Text(doc) => {
                    key.doc = doc;
                    break;
                }
                Token::Word(word) => match word.as_str() {
                    "optional" => key.optional = true,
                    "truncated" => key.truncated = true,
                    "sensitive" => key.sensitive = true,
                    other => {
                        return Err(format!(
                            "`{other}` is not a mark: expected `optional`, `truncated` or \
                             `sensitive`"
                        ));
                    }
                },
            }
        }
        let event = self.last("key")?;
        if event.keys.iter().any(|other| fold(&other.key) == fold(&key.key)) {
            return Err(format!("key `{}` is there already in this event: remove one", key.key));
        }
        event.keys.push(key);
        Ok(())
    }

    fn texts(&mut self, tokens: &mut Tokens<'_>) -> Result<(), String> {
        let key = self.last("texts")?.keys.last_mut();
        let key = key.ok_or("`texts` has no `key` line above it")?;
        if key.kind != ValueKind::Text {
            return Err(format!("the values of `{}` are not text: remove the line", key.key));
        }
        if !key.texts.is_empty() {
            return Err(format!("the texts of `{}` are there already: remove one line", key.key));
        }
        while let Some(Token::Word(text) | Token::Text(text)) = tokens.next()? {
            if key.texts.contains(&text) {
                return Err(format!("the text `{text}` is there twice: remove one"));
            }
            key.texts.push(text);
        }
        match key.texts[..] {
            [] => Err("the texts are missing".into()),
            _ => Ok(()),
        }
    }

    fn last(&mut self, keyword: &str) -> Result<&mut PlannedEvent, String> {
        let last = self.lock.plan.events.last_mut();
        last.ok_or_else(|| format!("`{keyword}` has no `event` line above it"))
    }
}

fn allowance(tokens: &mut Tokens<'_>) -> Result<Allowance, String> {
    let id = tokens.word("the rule")?;
    let rule = Rule::by_id(&id).ok_or_else(|| {
        let rules: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        format!("`{id}` is not a rule: expected one of {}", rules.join(", "))
    })?;
    let subject = tokens.name("an event, or a key as `event.key`")?;
    let (event, key) = match subject.split_once('.') {
        Some((event, key)) => (event.to_owned(), Some(key.to_owned())),
        None => (subject, None),
    };
    match tokens.next()? {
        Some(Token::Text(reason)) if !reason.trim().is_empty() => {
            Ok(Allowance { rule, event, key, reason })
        }
        _ => Err("a reason in quotes is missing: `\"why\"`".into()),
    }
}

/// The rest of a line.
struct Tokens<'a>(&'a str);

enum Token {
    Word(String),
    /// A quoted text.
    Text(String),
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, String> {
        let rest = self.0.trim_start();
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let Some(Ok(text)) = texts.next() else {
                return Err(
                    "the text in quotes does not end, or has an escape that JSON does not have"
                        .into(),
                );
            };
            self.0 = &rest[texts.byte_offset()..];
            return Ok(Some(Token::Text(text)));
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Ok(Some(Token::Word(rest[..end].to_owned())))
    }

    fn word(&mut self, what: &str) -> Result<String, String> {
        match self.next()? {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(format!("{what} is missing")),
        }
    }

    fn name(&mut self, what: &str) -> Result<String, String> {
        match self.next()? {
            Some(Token::Word(name) | Token::Text(name)) if !name.is_empty() => Ok(name),
            _ => Err(format!("{what} is missing")),
        }
    }

    fn end(&mut self) -> Result<(), String> {
        match self.next()? {
            None => Ok(()),
            Some(Token::Word(rest) | Token::Text(rest)) => {
                Err(format!("`{rest}` does not belong in this line: remove it"))
            }
        }
    }
}
