//! The results of a program that breaks something in many ways.

use std::process::ExitCode;

/// The limit of printed complaints about a check.
const PRINTED: usize = 5;

/// Passed, failed and skipped checks.
#[derive(Debug, Default)]
pub struct Summary {
    prints_passed: bool,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Summary {
    /// Creates a summary that also prints each passed check, for a few slow checks.
    pub fn with_passed() -> Self {
        Summary { prints_passed: true, ..Summary::default() }
    }

    /// Adds a check, and prints the complaints about it. A check without complaints has passed.
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

    /// Adds a check that this machine cannot do.
    pub fn skip(&mut self, name: &str, why: &str) {
        print(&format!("SKIPPED {name}: {why}"));
        self.skipped.push(format!("{name}: {why}"));
    }

    /// Prints the skipped and failed checks, then the counts. Returns the exit code: 0 if all
    /// checks passed, 1 if one failed or none ran, 77 if some were skipped and the others passed.
    pub fn finish(self) -> ExitCode {
        print("== summary");
        self.skipped.iter().for_each(|skipped| print(&format!("SKIPPED {skipped}")));
        self.failed.iter().for_each(|failed| print(&format!("FAILED {failed}")));
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        print(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        code(passed, failed, skipped).into()
    }
}

/// Test harnesses take 77 for a skipped test. A run that tried nothing has proved nothing, and
/// fails.
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
