//! The settings of a call, each with its source.
//!
//! The first of these that has a setting decides it:
//!
//! 1. the command line
//! 2. the profile that `--profile` names
//! 3. the environment
//! 4. the profile that `INTERCOM_PROFILE`, or `profile` in the file, names
//! 5. the default

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use intercom_http::{HttpTransport, Region};

use crate::configuration::{Configuration, Profile, TokenCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outbox_location::Location;

const ACCESS_TOKEN: &str = "INTERCOM_ACCESS_TOKEN";

/// The source of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingSource {
    Flag(&'static str),
    Variable(&'static str),
    Profile(String),
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingSource::Flag(flag) => f.write_str(flag),
            SettingSource::Variable(name) => f.write_str(name),
            SettingSource::Profile(name) => write!(f, "profile {name}"),
            SettingSource::Default => f.write_str("default"),
        }
    }
}

/// A setting and its source.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: SettingSource,
}

impl Setting<String> {
    fn region(&self) -> Result<Region, Failure> {
        let Setting { value, source } = self;
        value.parse().map_err(|error| Failure::usage(format!("{source}: {error}")))
    }
}

/// The host of Intercom for a command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Access {
    /// Region of the workspace: us, eu or au [env: INTERCOM_REGION] [default: us]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Address in place of the region's, such as a sandbox's [env: INTERCOM_BASE_URL]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

/// The outbox of a command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OutboxArguments {
    /// Outbox: a SQLite file, or the URL of a PostgreSQL database [env: INTERCOM_OUTBOX]
    ///
    /// Use the variable for a URL with a password: other users of the machine can see the command
    /// line.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) outbox: Option<String>,

    /// Schema of the outbox in PostgreSQL [env: INTERCOM_OUTBOX_SCHEMA] [default: intercom]
    #[arg(long, value_name = "NAME")]
    pub(crate) outbox_schema: Option<String>,
}

/// The settings of this call. The methods apply flags over them.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The configuration file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The profile of this call, and its name.
    profile: Option<(String, Profile)>,
    /// Whether `--profile` named it: then it overrides the environment.
    is_profile_named: bool,
    token_file: Option<PathBuf>,
}

impl Settings {
    /// Reads the configuration, and finds the profile.
    ///
    /// # Errors
    ///
    /// Fails when the configuration cannot be read, and when it has no such profile.
    pub(crate) fn load(
        config: Option<&Path>,
        profile: Option<&str>,
        token_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (mut configuration, file) = Configuration::read(config)?;
        let is_profile_named = profile.is_some();
        let wanted = match profile {
            Some(name) => Some(name.to_owned()),
            None => variable("INTERCOM_PROFILE")?.or_else(|| configuration.profile.clone()),
        };
        let profile = wanted.map(|name| match configuration.profiles.remove(&name) {
            Some(profile) => Ok((name, profile)),
            None => Err(unknown_profile(&name, &configuration, file.as_deref())),
        });
        let profile = profile.transpose()?;
        Ok(Settings { file, profile, is_profile_named, token_file: token_file.map(Path::to_owned) })
    }

    /// Finds a setting.
    fn find(
        &self,
        flag: (&'static str, Option<&str>),
        name: &'static str,
        of_profile: impl Fn(&Profile) -> Option<String>,
    ) -> Result<Option<Setting<String>>, Failure> {
        let (flag, given) = flag;
        if let Some(value) = given {
            return Ok(Some(Setting {
                value: value.to_owned(),
                source: SettingSource::Flag(flag),
            }));
        }
        let from_profile = self.profile.as_ref().and_then(|(name, profile)| {
            let source = SettingSource::Profile(name.clone());
            of_profile(profile).map(|value| Setting { value, source })
        });
        if self.is_profile_named && from_profile.is_some() {
            return Ok(from_profile);
        }
        let value = variable(name)?;
        let from_variable =
            value.map(|value| Setting { value, source: SettingSource::Variable(name) });
        Ok(from_variable.or(from_profile))
    }

    /// Returns the profile's workspace.
    pub(crate) fn workspace(&self) -> Option<&str> {
        self.profile.as_ref().and_then(|(_, profile)| profile.workspace.as_deref())
    }

    /// Returns the profile's name.
    pub(crate) fn profile_name(&self) -> Option<&str> {
        self.profile.as_ref().map(|(name, _)| name.as_str())
    }

    /// Returns the address of Intercom's API. A base URL overrides a region of the same source, and
    /// every later source.
    ///
    /// # Errors
    ///
    /// Fails when the region is unknown.
    pub(crate) fn base_url(&self, access: &Access) -> Result<Setting<String>, Failure> {
        let [base_url, region] = ["INTERCOM_BASE_URL", "INTERCOM_REGION"];
        let of_environment = (
            (variable(base_url)?, SettingSource::Variable(base_url)),
            (variable(region)?, SettingSource::Variable(region)),
        );
        let flags = (
            (access.base_url.clone(), SettingSource::Flag("--base-url")),
            (access.region.clone(), SettingSource::Flag("--region")),
        );
        let of_profile = self.profile.as_ref().map(|(name, profile)| {
            let source = SettingSource::Profile(name.clone());
            ((profile.base_url.clone(), source.clone()), (profile.region.clone(), source))
        });
        let (of_named, of_other) = match self.is_profile_named {
            true => (of_profile, None),
            false => (None, of_profile),
        };
        let layers = [Some(flags), of_named, Some(of_environment), of_other];
        for (base_url, region) in layers.into_iter().flatten() {
            if let (Some(value), source) = base_url {
                return Ok(Setting { value, source });
            }
            if let (Some(value), source) = region {
                let setting = Setting { value, source };
                let value = setting.region()?.base_url().to_owned();
                return Ok(Setting { value, source: setting.source });
            }
        }
        Ok(Setting {
            value: Region::default().base_url().to_owned(),
            source: SettingSource::Default,
        })
    }

    /// Returns the region of the settings, even if a base URL overrides it.
    ///
    /// # Errors
    ///
    /// Fails when the region is unknown.
    pub(crate) fn region(&self, access: &Access) -> Result<Option<Region>, Failure> {
        let flag = ("--region", access.region.as_deref());
        let found = self.find(flag, "INTERCOM_REGION", |profile| profile.region.clone())?;
        found.map(|named| named.region()).transpose()
    }

    /// Makes the transport. Sends nothing.
    ///
    /// # Errors
    ///
    /// Fails when there is no token, and when a setting cannot work.
    pub(crate) fn transport(&self, access: &Access) -> Result<HttpTransport, Failure> {
        self.transport_with(self.token()?.value, access)
    }

    /// Makes the transport with this token. Sends nothing.
    ///
    /// # Errors
    ///
    /// Fails when a setting cannot work.
    pub(crate) fn transport_with(
        &self,
        token: Token,
        access: &Access,
    ) -> Result<HttpTransport, Failure> {
        let builder = HttpTransport::builder(token.0)
            .base_url(self.base_url(access)?.value)
            .user_agent(concat!("intercom-cli/", env!("CARGO_PKG_VERSION")));
        Ok(builder.build()?)
    }

    /// Finds the access token.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or its file or command gives none.
    pub(crate) fn token(&self) -> Result<Setting<Token>, Failure> {
        let flag = ("--token-file", self.token_file.as_deref().and_then(Path::to_str));
        if let (flag, Some(path)) = flag {
            return read_token_file(Path::new(path), SettingSource::Flag(flag));
        }
        let of_profile = || {
            let (name, profile) = self.profile.as_ref()?;
            let source = SettingSource::Profile(name.clone());
            match (&profile.token_file, &profile.token_command) {
                (Some(path), _) => Some(read_token_file(path, source)),
                (_, Some(command)) => Some(run_token_command(command, source)),
                (None, None) => None,
            }
        };
        if self.is_profile_named
            && let Some(token) = of_profile()
        {
            return token;
        }
        if let Some(token) = variable(ACCESS_TOKEN)? {
            return Ok(Setting {
                value: Token(token),
                source: SettingSource::Variable(ACCESS_TOKEN),
            });
        }
        const TOKEN_FILE: &str = "INTERCOM_TOKEN_FILE";
        if let Some(path) = variable(TOKEN_FILE)? {
            return read_token_file(Path::new(&path), SettingSource::Variable(TOKEN_FILE));
        }
        of_profile().unwrap_or_else(|| Err(no_token(self.profile_name())))
    }

    /// Finds the named outbox, if any.
    ///
    /// # Errors
    ///
    /// Fails when a variable is not text.
    pub(crate) fn outbox(
        &self,
        arguments: &OutboxArguments,
    ) -> Result<Option<Setting<Location>>, Failure> {
        let flag = ("--outbox", arguments.outbox.as_deref());
        let found = self.find(flag, "INTERCOM_OUTBOX", |profile| profile.outbox.clone())?;
        let Some(Setting { value, source }) = found else { return Ok(None) };
        let flag = ("--outbox-schema", arguments.outbox_schema.as_deref());
        let of_profile = |profile: &Profile| profile.outbox_schema.clone();
        let schema = self.find(flag, "INTERCOM_OUTBOX_SCHEMA", of_profile)?;
        let value = Location::new(value, schema.map(|schema| schema.value));
        Ok(Some(Setting { value, source }))
    }

    /// Finds the named lock, if any.
    ///
    /// # Errors
    ///
    /// Fails when a variable is not text.
    pub(crate) fn lock(&self, flag: Option<&Path>) -> Result<Option<Setting<PathBuf>>, Failure> {
        if let Some(path) = flag {
            return Ok(Some(Setting {
                value: path.to_owned(),
                source: SettingSource::Flag("--lock"),
            }));
        }
        let of_profile = |profile: &Profile| {
            profile.lock.as_ref().map(|path| path.to_string_lossy().into_owned())
        };
        let found = self.find(("--lock", None), "INTERCOM_LOCK", of_profile)?;
        Ok(found.map(|Setting { value, source }| Setting { value: value.into(), source }))
    }
}

/// An access token, which neither `Debug` nor an error shows.
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Reads a variable. An empty variable counts as unset.
fn variable(name: &'static str) -> Result<Option<String>, Failure> {
    match env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.into_string()) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => {
            Err(Failure::usage(format!("the variable {name} is not valid Unicode; set it again")))
        }
    }
}

fn unknown_profile(name: &str, configuration: &Configuration, file: Option<&Path>) -> Failure {
    let known: Vec<_> = configuration.profiles.keys().map(|name| format!("`{name}`")).collect();
    let advice = match (file, known.is_empty()) {
        (None, _) => "there is no configuration file; name one with --config".to_owned(),
        (Some(file), true) => format!("{} has none", file.display()),
        (Some(file), false) => format!("{} has {}", file.display(), known.join(", ")),
    };
    Failure::usage(format!("there is no profile `{name}`: {advice}"))
}

fn no_token(profile: Option<&str>) -> Failure {
    let advice = match profile {
        Some(name) => format!("add a `token_command` to the profile `{name}`"),
        None => "choose a profile with --profile".to_owned(),
    };
    Failure::new(
        Exit::Operator,
        "no_token",
        format!(
            "there is no access token; set {ACCESS_TOKEN}, \
             name a file with --token-file, or {advice}"
        ),
    )
}

fn read_token_file(path: &Path, source: SettingSource) -> Result<Setting<Token>, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the token file {shown} ({source}): {error}");
        Failure::new(Exit::Operator, "no_token", message)
    })?;
    token_of(&text, format_args!("the token file {shown}"), source)
}

fn run_token_command(
    command: &TokenCommand,
    source: SettingSource,
) -> Result<Setting<Token>, Failure> {
    let failed = |what: String| {
        let message = format!("the token_command of the {source} {what}");
        Failure::new(Exit::Operator, "no_token", message)
    };
    let mut process = match command {
        TokenCommand::Shell(line) if cfg!(windows) => {
            let mut shell = Command::new("cmd");
            shell.arg("/C").arg(line);
            shell
        }
        TokenCommand::Shell(line) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(line);
            shell
        }
        TokenCommand::Program(words) => {
            let Some((program, arguments)) = words.split_first() else {
                return Err(failed("is an empty list; name a program".to_owned()));
            };
            let mut process = Command::new(program);
            process.args(arguments);
            process
        }
    };
    // The command may ask for a passphrase, and reports its own errors.
    let output = process.stdin(Stdio::inherit()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(format!("cannot run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!(
            "failed with {}; correct it in the configuration",
            output.status
        )));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| {
        failed("printed bytes that are not UTF-8; print the token alone".to_owned())
    })?;
    token_of(&text, format_args!("the token_command"), source)
}

fn token_of(
    text: &str,
    place: fmt::Arguments<'_>,
    source: SettingSource,
) -> Result<Setting<Token>, Failure> {
    match text.trim() {
        "" => {
            let message = format!("{place} ({source}) is empty; let it have the token alone");
            Err(Failure::new(Exit::Operator, "no_token", message))
        }
        token => Ok(Setting { value: Token(token.to_owned()), source }),
    }
}
