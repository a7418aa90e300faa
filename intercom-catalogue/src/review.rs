//! Checks changes against the lock's allowances.

use std::fmt;

use intercom_core::rules::fold;

use crate::changes::{Finding, changes};
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

    /// Compares an earlier lock with this one. The allowances that this lock adds allow changes.
    ///
    /// Use this to check a whole branch: `older` is the lock at the start of the branch.
    pub fn review_since(&self, older: &Lock) -> Review {
        let mut known = older.allowed.clone();
        let mut new = self.allowed.clone();
        new.retain(|allowance| {
            let at = known.iter().position(|other| other == allowance);
            at.map(|at| known.swap_remove(at)).is_none()
        });
        new.extend(self.pending.iter().cloned());
        let mut plan = self.plan.clone();
        // A lock has no source code, so its own lines name the renamed events.
        for event in &mut plan.events {
            let known = |retired: &&Retired| older.retired.iter().any(|old| old.is(&retired.name));
            let was = self.retired.iter().find(|retired| {
                let successor = retired.successor.as_deref();
                successor.is_some_and(|name| fold(name) == fold(&event.name)) && !known(retired)
            });
            event.was = was.map(|retired| retired.name.clone());
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
        let mut unused = allowances.to_vec();
        for finding in &mut findings {
            let at = unused.iter().position(|allowance| allowance.allows(finding));
            finding.allowed = at.map(|at| unused.swap_remove(at).reason);
        }
        findings.sort_by_key(|finding| finding.rule.class());
        let used = allowances.iter().filter(|allowance| !unused.contains(allowance));
        let next = lock.next(&findings, plan, used.cloned());
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

    /// Returns the lock with the changes applied. It lists used allowances as `allowed`, and keeps
    /// retired names.
    pub fn updated_lock(&self) -> &Lock {
        &self.next
    }
}

impl Allowance {
    fn allows(&self, finding: &Finding) -> bool {
        let same = |one: &str, other: &str| fold(one) == fold(other);
        self.rule == finding.rule
            && same(&self.event, &finding.event)
            && match (&self.key, &finding.key) {
                (Some(key), Some(other)) => same(key, other),
                (None, None) => true,
                _ => false,
            }
    }
}

impl Lock {
    fn next(
        &self,
        findings: &[Finding],
        plan: &Plan,
        used: impl Iterator<Item = Allowance>,
    ) -> Lock {
        let mut retired = self.retired.clone();
        let mut retire = |name: &str, successor: Option<&str>| {
            if !retired.iter().any(|other| other.is(name)) {
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
                            "       Or allow it, with this line in the lock: allow {rule} {subject} \"why\""
                        )?;
                    }
                    None => {}
                }
            }
        }
        for allowance in &self.unused {
            writeln!(f, "unused `allow {allowance}` allows nothing: remove the line")?;
        }
        Ok(())
    }
}
