//! Checks changes against the lock's allowances.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;

use intercom_core::rules::fold;

use crate::changes::{Finding, changes, first_by_name};
use crate::lock::{Allowance, Lock, Retired};
use crate::plan::Plan;
use crate::rule::{Class, Rule};

/// The changes since a lock, each allowed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    findings: Vec<Finding>,
    unused: Vec<Allowance>,
    next: Lock,
    is_current: bool,
}

impl Lock {
    /// Compares the lock with the events of a program. The lock's `allow` lines allow changes.
    pub fn review(&self, plan: &Plan) -> Review {
        Review::new(self, plan, &self.pending)
    }

    /// Compares an earlier lock with this one. It allows a change by each
    /// allowance that the earlier lock does not have.
    ///
    /// Use this to check a whole branch: `older` is the lock at the start of the branch.
    pub fn review_since(&self, older: &Lock) -> Review {
        let mut known = BTreeMap::<_, usize>::new();
        for allowance in &older.allowed {
            *known.entry(allowance).or_default() += 1;
        }
        let mut new = self.allowed.clone();
        new.retain(|allowance| match known.get_mut(allowance) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        });
        new.extend(self.pending.iter().cloned());
        let mut plan = self.plan.clone();
        // A lock has no source code, so its own lines name the renamed events.
        let known: HashSet<_> = older.retired.iter().map(|retired| fold(&retired.name)).collect();
        let new_names = self.retired.iter().filter(|retired| !known.contains(&fold(&retired.name)));
        let earlier_names = first_by_name(
            new_names.filter_map(|retired| Some((retired.successor.as_deref()?, &retired.name))),
        );
        for event in &mut plan.events {
            event.was = earlier_names.get(&fold(&event.name)).copied().cloned();
        }
        Review::new(older, &plan, &new)
    }
}

impl Review {
    fn new(lock: &Lock, plan: &Plan, allowances: &[Allowance]) -> Self {
        let mut locked = plan.locked();
        // `locked` drops the earlier names, which pair events.
        for (locked, event) in locked.events.iter_mut().zip(&plan.events) {
            locked.was.clone_from(&event.was);
        }
        let mut findings = changes(lock, &locked);
        let mut unused: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for allowance in allowances {
            let Allowance { rule, event, key, .. } = allowance;
            let subject = folded(*rule, event, key.as_deref());
            unused.entry(subject).or_default().push_back(allowance.clone());
        }
        let mut used = Vec::new();
        for finding in &mut findings {
            let Finding { rule, event, key, .. } = &*finding;
            let allowing = unused.get_mut(&folded(*rule, event, key.as_deref()));
            if let Some(allowance) = allowing.and_then(VecDeque::pop_front) {
                finding.allowed = Some(allowance.reason.clone());
                used.push(allowance);
            }
        }
        let unused = unused.into_values().flatten().collect();
        findings.sort_by_key(|finding| finding.rule.class());
        let next = lock.next(&findings, plan, used);
        let is_current = lock.plan == next.plan && lock.retired == next.retired;
        Review { findings, unused, next, is_current }
    }

    /// Returns the changes, the most serious class first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the allowances that match no change.
    pub fn unused_allowances(&self) -> &[Allowance] {
        &self.unused
    }

    /// Returns whether a change lacks its allowance, or an allowance matches no change.
    pub fn is_blocked(&self) -> bool {
        !self.unused.is_empty() || self.findings.iter().any(Finding::is_blocking)
    }

    /// Returns whether the lock is current, so that nothing needs writing.
    pub fn is_current(&self) -> bool {
        self.is_current && self.unused.is_empty()
    }

    /// Returns the lock with these changes. Used `allow` lines are `allowed` lines in it, and names
    /// of removed and renamed events are retired.
    pub fn updated_lock(&self) -> &Lock {
        &self.next
    }
}

/// Returns what must be equal for an allowance to allow a finding.
fn folded(rule: Rule, event: &str, key: Option<&str>) -> (Rule, String, Option<String>) {
    (rule, fold(event), key.map(fold))
}

impl Lock {
    fn next(&self, findings: &[Finding], plan: &Plan, used: Vec<Allowance>) -> Lock {
        let mut retired = self.retired.clone();
        let mut names: HashSet<_> = retired.iter().map(|retired| fold(&retired.name)).collect();
        let mut retire = |name: &str, successor: Option<&str>| {
            if names.insert(fold(name)) {
                let successor = successor.map(str::to_owned);
                retired.push(Retired { name: name.to_owned(), successor });
            }
        };
        for finding in findings.iter().filter(|finding| finding.rule == Rule::EventRemoved) {
            retire(&finding.event, None);
        }
        for event in &plan.events {
            if let Some(was) = &event.was {
                retire(was, Some(&event.name));
            }
        }
        // A name in use again leaves the retired names.
        retired.retain(|retired| plan.event(&retired.name).is_none());
        retired.sort();
        let mut allowed = self.allowed.clone();
        allowed.extend(used);
        allowed.sort();
        allowed.dedup();
        Lock { plan: plan.locked(), retired, allowed, pending: Vec::new() }
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for class in [Class::Break, Class::Frozen, Class::Note] {
            for finding in self.findings.iter().filter(|finding| finding.rule.class() == class) {
                writeln!(f, "{finding}")?;
                match &finding.allowed {
                    Some(reason) => writeln!(f, "       allowed: {reason}")?,
                    None if class.needs_allowance() => {
                        let (rule, subject) = (finding.rule, finding.subject());
                        writeln!(f, "       {}", rule.sentence())?;
                        writeln!(f, "       Fix: {}", rule.fix())?;
                        writeln!(
                            f,
                            "       Or allow it by a line in the lock: allow {rule} {subject} \
                             \"why\""
                        )?;
                    }
                    None => {}
                }
            }
        }
        for allowance in &self.unused {
            writeln!(f, "unused `allow {allowance}` allows no change: remove the line")?;
        }
        Ok(())
    }
}
