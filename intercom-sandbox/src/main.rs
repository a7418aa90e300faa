//! The sandbox as a program: start it, point an application at it, and see what arrives.
#![allow(clippy::print_stderr, reason = "a program talks on its streams")]

use std::process::ExitCode;

use clap::Parser as _;
use intercom_sandbox::program;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = program::Arguments::parse();
    let ended = Runtime::new().map_err(Into::into).and_then(|runtime| {
        let ended = runtime.block_on(program::run(arguments));
        // A blocked reader of standard output must not delay the exit.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("intercom-sandbox: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}
