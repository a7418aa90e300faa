//! The command line.

use std::env;
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::completions::{Completions, Manual};
use crate::exit::EXIT_CODES;
use crate::failure::Failure;
use crate::{doctor, events, import, lock, outbox, sandbox, send};

/// Sends events to Intercom, and operates an outbox
///
/// Data goes to standard output, all else to standard error. With --json each line of data and
/// each error is a JSON object with the members "v" (1) and "type".
///
/// The access token is never a flag, which other users of the machine could read. It comes from
/// --token-file, INTERCOM_ACCESS_TOKEN, INTERCOM_TOKEN_FILE, or the profile's token_command or
/// token_file.
///
/// A setting comes from the first of these that has it: the command line, the profile that
/// --profile names, the environment, the profile that INTERCOM_PROFILE or the configuration names.
#[derive(Parser)]
#[command(
    name = "intercom",
    version,
    verbatim_doc_comment,
    before_help = EXAMPLE,
    after_long_help = EXIT_CODES,
    propagate_version = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads the command line. Ends the process for `--help` and `--version`, and with clap's own
    /// text for a mistake.
    ///
    /// # Errors
    ///
    /// Fails for a mistake in a command line with `--json`.
    pub(crate) fn read() -> Result<Self, Failure> {
        Arguments::try_parse().map_err(|error| {
            // The flag `--json` may come after the mistake.
            let mut given = env::args_os().take_while(|argument| argument != "--");
            match error.use_stderr() && given.any(|argument| argument == "--json") {
                true => wrong_usage(&error),
                false => error.exit(),
            }
        })
    }
}

/// Returns the mistake in one line, without the usage and the colors.
fn wrong_usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<_> = text.split_whitespace().skip_while(|word| *word == "error:").collect();
    Failure::usage(words.join(" "))
}

const EXAMPLE: &str = "\
Example:
  intercom send invoice_paid --user-id 42 amount=349.99EUR due_date=2026-12-01";

/// The options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Print data and errors as JSON, an object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print only data and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Log to standard error; -vv logs each step. No log has a contact or a value
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,

    /// Profile in the configuration file [env: INTERCOM_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Configuration file [env: INTERCOM_CONFIG] [default: ~/.config/intercom/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// File with the access token [env: INTERCOM_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// When to print in color; auto obeys NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) color: Color,
}

/// When to print in color.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    Send(Box<send::Arguments>),
    Outbox(outbox::Arguments),
    Import(Box<import::Arguments>),
    Events(Box<events::Arguments>),
    Lock(lock::Arguments),
    Catalogue(lock::Catalogue),
    #[command(
        before_help = "Example:\n  intercom sandbox --know-everybody",
        after_long_help = sandbox::examples()
    )]
    Sandbox(Box<intercom_sandbox::program::Arguments>),
    Doctor(doctor::Arguments),
    Completions(Completions),
    Man(Manual),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_help_of_each_command_opens_with_an_example() {
        fn check(command: &clap::Command) {
            let opening = command.get_before_help().map(ToString::to_string).unwrap_or_default();
            assert!(opening.starts_with("Example:\n  intercom "), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }

        let command = Arguments::command();
        command.clone().debug_assert();
        check(&command);
    }
}
