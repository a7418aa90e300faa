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
    pub(crate) fn add(&mut self, name: &str, complaints: Vec<String>) {
        if complaints.is_empty() {
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
        // A run in which nothing was tried has proved nothing.
        let good = failed == 0 && passed + skipped > 0;
        match failed {
            0 => println!("{passed} passed, {skipped} skipped"),
            _ => println!("{failed} FAILED, {passed} passed, {skipped} skipped"),
        }
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
