//! The configuration file: one TOML file with a profile for each workspace.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// The content of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// The profile of a call that names none.
    pub(crate) profile: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// The settings of one workspace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) token_command: Option<TokenCommand>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) region: Option<String>,
    pub(crate) base_url: Option<String>,
    /// Intercom's id of the workspace, which `doctor` compares.
    pub(crate) workspace: Option<String>,
    pub(crate) outbox: Option<String>,
    pub(crate) outbox_schema: Option<String>,
    pub(crate) lock: Option<PathBuf>,
    /// Always refused. The field exists so that no message repeats its value.
    #[serde(alias = "access_token")]
    token: Option<serde::de::IgnoredAny>,
}

/// A command whose standard output is the token: a line for the shell, or a program with its
/// arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a command line, or a list of a program and its arguments")]
pub(crate) enum TokenCommand {
    Shell(String),
    Program(Vec<String>),
}

const CONFIG: &str = "INTERCOM_CONFIG";

impl Configuration {
    /// Reads the file that `--config` or `INTERCOM_CONFIG` names, or else the user's, if it exists.
    /// Returns its path too.
    ///
    /// # Errors
    ///
    /// Fails when a named file cannot be read, and when a file is not a configuration.
    pub(crate) fn read(named: Option<&Path>) -> Result<(Self, Option<PathBuf>), Failure> {
        let variable = || env::var_os(CONFIG).filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = named.map(Path::to_owned).or_else(variable);
        let Some(path) = named.clone().or_else(users_file) else {
            return Ok((Configuration::default(), None));
        };
        match fs::read_to_string(&path) {
            Ok(text) => Ok((parse(&path, &text)?, Some(path))),
            Err(error) if named.is_none() && is_absent(&error) => {
                Ok((Configuration::default(), None))
            }
            Err(error) => Err(Failure::file(
                format!("cannot read the configuration {}", path.display()),
                &error,
            )),
        }
    }
}

/// Returns the path of the user's own file, which may not exist.
fn users_file() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = match folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute()) {
        Some(base) => base,
        None if cfg!(windows) => folder("APPDATA")?,
        None => env::home_dir()?.join(".config"),
    };
    Some(base.join("intercom").join("config.toml"))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parse(path: &Path, text: &str) -> Result<Configuration, Failure> {
    let wrong = |what: String| {
        let message = format!("the configuration {}{what}", path.display());
        Failure::new(Exit::Usage, "configuration", message)
    };
    let mut configuration: Configuration = toml::from_str(text).map_err(|error| {
        // The error's `Display` quotes the line, which may contain a secret by mistake.
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let at = line.map(|line| format!(", line {line}")).unwrap_or_default();
        wrong(format!("{at}: {}", error.message()))
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    for (name, profile) in &mut configuration.profiles {
        if profile.token.is_some() {
            return Err(wrong(format!(
                ": the profile `{name}` contains a token; \
                 remove it, and add a `token_command` or a `token_file`"
            )));
        }
        if profile.token_command.is_some() && profile.token_file.is_some() {
            return Err(wrong(format!(
                ": the profile `{name}` has a `token_command` and a `token_file`; keep one of them"
            )));
        }
        // Paths in the file are relative to its folder.
        for path in [&mut profile.token_file, &mut profile.lock].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        if let Some(outbox) = profile.outbox.as_mut().filter(|outbox| !outbox.contains("://")) {
            *outbox = folder.join(&*outbox).to_string_lossy().into_owned();
        }
    }
    if let Some(name) = &configuration.profile
        && !configuration.profiles.contains_key(name)
    {
        return Err(wrong(format!(
            ": `profile` names `{name}`, which is not a profile in it; correct the name"
        )));
    }
    Ok(configuration)
}
