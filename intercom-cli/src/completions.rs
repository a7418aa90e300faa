//! `intercom completions` and `intercom man`, which describe the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints completions for a shell
#[derive(Args, Debug)]
#[command(before_help = "\
Example:
  intercom completions bash > ~/.local/share/bash-completion/completions/intercom")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a manual page, or writes all of them
#[derive(Args, Debug)]
#[command(before_help = "\
Example:
  intercom man --dir ~/.local/share/man/man1
  intercom man outbox redrive | man -l -")]
pub(crate) struct Manual {
    /// The command to describe
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,

    /// Write the page of each command into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "path")]
    dir: Option<PathBuf>,
}

/// Prints completions.
pub(crate) fn completions(output: Output, arguments: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "intercom", &mut script);
    output.text(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}

/// Prints a manual page, or writes all.
pub(crate) fn manual(output: Output, arguments: &Manual) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.dir {
        let failed = |error| Failure::file(format!("cannot write to {}", folder.display()), &error);
        fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command(), folder).map_err(failed)?;
        output.remark(format!("wrote the pages to {}", folder.display()));
        return Ok(Exit::Done);
    }
    let mut command = command();
    command.build();
    let mut name = "intercom".to_owned();
    let mut found = &command;
    for word in &arguments.path {
        name += &format!("-{word}");
        found = found.find_subcommand(word).ok_or_else(|| {
            Failure::usage(format!(
                "there is no command `{}`; list the commands with `intercom --help`",
                word.escape_debug()
            ))
        })?;
    }
    let mut page = Vec::new();
    let rendered = Man::new(found.clone()).title(name.to_uppercase()).render(&mut page);
    rendered.map_err(|error| Failure::file("cannot make the manual page", &error))?;
    output.text(String::from_utf8_lossy(&page).trim_end())?;
    Ok(Exit::Done)
}

fn command() -> Command {
    arguments::Arguments::command()
}
