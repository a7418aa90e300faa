//! `intercom sandbox`: a local Intercom. It is also a separate program.

use intercom_sandbox::program::{self, EXAMPLES};

use crate::exit::Exit;
use crate::failure::{Failure, with_sources};

/// Returns the examples at the end of its `--help`.
pub(crate) fn examples() -> String {
    EXAMPLES.replace("intercom-sandbox", "intercom sandbox")
}

/// Runs the command until Ctrl-C ends it.
pub(crate) async fn run(arguments: program::Arguments) -> Result<Exit, Failure> {
    match program::run(arguments).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Failure::new(Exit::Failed, "sandbox", with_sources(&*error))),
    }
}
