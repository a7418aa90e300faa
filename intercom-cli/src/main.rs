//! The program `intercom`: sends events, and operates an outbox.
//!
//! Each command is a module with its `Arguments` and a `run`, which returns the exit code or a
//! failure.

mod arguments;
mod body;
mod completions;
mod configuration;
mod contact;
mod context;
mod doctor;
mod event_builder;
mod events;
mod exit;
mod failure;
mod flushing;
mod import;
mod interrupt;
mod lock;
mod lock_file;
mod logging;
mod outbox;
mod outbox_location;
mod output;
mod sandbox;
mod send;
mod settings;
mod time;
mod value;

use std::process::ExitCode;

use anstream::ColorChoice;
use tokio::runtime::Runtime;

use arguments::{Arguments, Command, Global};
use context::Context;
use exit::Exit;
use failure::Failure;
use interrupt::Interrupt;
use output::Output;
use settings::Settings;

fn main() -> ExitCode {
    let Arguments { global, command } = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(failure) => {
            Output { json: true, ..Output::default() }.failure(&failure);
            return failure.exit().into();
        }
    };
    ColorChoice::from(global.color).write_global();
    let output =
        Output { json: global.json, quiet: global.quiet, logs: logging::start(global.verbose) };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&Failure::file("cannot start", &error));
            return Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(run(&global, output, command));
    // A hanging name server or a blocked read of standard input must not delay the exit.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit().into()
        }
    }
}

async fn run(global: &Global, output: Output, command: Command) -> Result<Exit, Failure> {
    let interrupt =
        Interrupt::listen().map_err(|error| Failure::file("cannot listen for signals", &error))?;
    // A command without settings works even if the configuration is wrong.
    let settings = || {
        let (config, token_file) = (global.config.as_deref(), global.token_file.as_deref());
        Settings::load(config, global.profile.as_deref(), token_file)
    };
    let context = |settings| Context { output, settings, interrupt };
    match command {
        Command::Completions(arguments) => completions::completions(output, &arguments),
        Command::Man(arguments) => completions::manual(output, &arguments),
        Command::Sandbox(arguments) => sandbox::run(*arguments).await,
        Command::Events(arguments) => events::run(&context(settings()?), *arguments).await,
        Command::Doctor(arguments) => doctor::run(&context(settings()?), &arguments).await,
        Command::Lock(arguments) => lock::run(&context(settings()?), &arguments),
        Command::Catalogue(arguments) => lock::catalogue(&context(settings()?), &arguments),
        Command::Outbox(arguments) => outbox::run(&context(settings()?), arguments).await,
        Command::Send(arguments) => send::run(&context(settings()?), *arguments).await,
        Command::Import(arguments) => import::run(&context(settings()?), *arguments).await,
    }
}
