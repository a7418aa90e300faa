//! The results of a program that breaks something in many ways.

use std::process::ExitCode;

/// How many complaints about one check are printed.
const PRINTED: usize = 5;

/// What passed, what failed, and what could not be tried.
#[derive(Debug, Default)]
pub struct Summary {
    prints_passed: bool,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Summary {
    /// Creates a summary that also prints each check that passed, where checks are few and slow.
    pub fn with_passed() -> Self {
        Summary { prints_passed: true, ..Summary::default() }
    }

    /// Adds a check, and prints the complaints about it. Without one, it has passed.
    pub fn add(&mut self, name: &str, complaints: impl AsRef<[String]>) {
        let complaints = complaints.as_ref();
        if complaints.is_empty() {
            if self.prints_passed {
                print(&format!("passed {name}"));
            }
            self.passed += 1;
            return;
        }
        print(&format!("FAILED {name}"));
        for complaint in complaints.iter().take(PRINTED) {
            print(&format!("       {complaint}"));
        }
        if complaints.len() > PRINTED {
            print(&format!("       and {} more", complaints.len() - PRINTED));
        }
        self.failed.push(name.to_owned());
    }

    /// Adds a check that this machine cannot do. It proves nothing.
    pub fn skip(&mut self, name: &str, why: &str) {
        print(&format!("SKIPPED {name}: {why}"));
        self.skipped.push(format!("{name}: {why}"));
    }

    /// Prints what was skipped and what failed, and at last the counts. Returns how the process ends:
    /// with 0 when all passed, with 77 when nothing failed and something was skipped, and else with 1.
    pub fn finish(self) -> ExitCode {
        print("== summary");
        self.skipped.iter().for_each(|skipped| print(&format!("SKIPPED {skipped}")));
        self.failed.iter().for_each(|failed| print(&format!("FAILED {failed}")));
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        print(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        code(passed, failed, skipped).into()
    }
}

/// Test harnesses take 77 for a skipped test. A run that tried nothing has proved nothing, and fails.
fn code(passed: usize, failed: usize, skipped: usize) -> u8 {
    match (passed, failed, skipped) {
        (_, 1.., _) | (0, 0, 0) => 1,
        (_, 0, 1..) => 77,
        (_, 0, 0) => 0,
    }
}

#[allow(clippy::print_stdout, reason = "its users are programs that print results")]
fn print(line: &str) {
    println!("{line}");
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
