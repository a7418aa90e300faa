//! What passed, what failed, and what could not be tried.

use std::process::ExitCode;

#[derive(Default)]
pub(crate) struct Summary {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Summary {
    /// One check, and everything that was wrong in it.
    pub(crate) fn add(&mut self, name: &str, complaints: &[String]) {
        if complaints.is_empty() {
            println!("passed {name}");
            self.passed += 1;
            return;
        }
        println!("FAILED {name}");
        for complaint in complaints.iter().take(5) {
            println!("       {complaint}");
        }
        if complaints.len() > 5 {
            println!("       and {} more", complaints.len() - 5);
        }
        self.failed.push(name.to_owned());
    }

    /// Something this machine cannot do. It proves nothing.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        eprintln!("SKIPPED {name}: {why}");
        self.skipped.push(format!("{name}: {why}"));
    }

    /// Says it all, at last the counts.
    pub(crate) fn tell(self) -> ExitCode {
        println!("== summary");
        self.skipped.iter().for_each(|skipped| println!("SKIPPED {skipped}"));
        self.failed.iter().for_each(|failed| println!("FAILED {failed}"));
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        code(passed, failed, skipped).into()
    }
}

/// How the process ends: 0 when all passed, 77 when nothing failed and something was skipped, which is how test harnesses
/// tell the one from the other, and 1 otherwise. A run in which nothing was tried has proved nothing.
fn code(passed: usize, failed: usize, skipped: usize) -> u8 {
    match (passed, failed, skipped) {
        (_, 1.., _) | (0, 0, 0) => 1,
        (_, 0, 1..) => 77,
        (_, 0, 0) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn a_skipped_part_never_passes() {
        assert_eq!(code(9, 0, 0), 0);
        assert_eq!([code(9, 0, 1), code(0, 0, 9)], [77, 77]);
        assert_eq!([code(9, 1, 0), code(9, 1, 1), code(0, 0, 0)], [1, 1, 1]);
    }
}
