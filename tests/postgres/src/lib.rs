//! PostgreSQL servers for tests: each in a temporary folder, on the loopback interface.
//!
//! A server ends with the process that started it, at any end of that process.
//!
//! ```no_run
//! use test_postgres::{Server, Stop};
//!
//! let mut server = Server::start()?;
//! println!("{}", server.url());
//! server.stop(Stop::Kill)?; // as by `kill -9`
//! server.start_again()?;
//! # Ok::<(), test_postgres::Error>(())
//! ```

mod program;
mod statements;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;

pub use program::programs;
pub use statements::{Statements, accepts};

/// The limit of starting or stopping a server.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no server.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

fn failed(what: &str, error: &io::Error) -> Error {
    Error(format!("{what}: {error}"))
}

/// The end of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It ends its sessions and writes a checkpoint.
    Fast,
    /// It ends at once. The next start recovers.
    Immediate,
    /// SIGKILL ends all of its processes, as a failure of the machine does.
    Kill,
}

/// A PostgreSQL server with a superuser `postgres` and a database of that name.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    environment: Vec<(String, OsString)>,
    running: Option<Running>,
}

/// The server's process, below a shell that ends it when this process has ended.
struct Running {
    shell: Child,
    postmaster: Pid,
}

impl Server {
    /// Creates and starts a server that need not survive a power cut: it never calls fsync.
    ///
    /// # Errors
    ///
    /// Fails when PostgreSQL is not installed, and names the package to install, or when it does
    /// not start.
    pub fn start() -> Result<Self, Error> {
        Server::with(&[("fsync", "off")])
    }

    /// Creates and starts a server with these settings of `postgresql.conf`, and fsync.
    ///
    /// # Errors
    ///
    /// Fails as [`start`](Self::start) does.
    pub fn with(settings: &[(&str, &str)]) -> Result<Self, Error> {
        Server::with_environment(settings, &[])
    }

    /// Creates and starts a server with these settings and these environment variables.
    ///
    /// # Errors
    ///
    /// Fails as [`start`](Self::start) does.
    pub fn with_environment(
        settings: &[(&str, &str)],
        environment: &[(String, OsString)],
    ) -> Result<Self, Error> {
        let mut server = Server::empty(settings)?;
        server.environment = environment.to_vec();
        server.run(
            "initdb",
            ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D"]
                .map(OsStr::new)
                .into_iter()
                .chain([server.data().as_os_str()]),
        )?;
        server.start_again()?;
        Ok(server)
    }

    /// Creates and starts a standby of this server, which replicates from it as `application_name`.
    ///
    /// Stops this server for the copy of its files. `pg_basebackup` would not stop it, but not
    /// every package of PostgreSQL has that program.
    ///
    /// # Errors
    ///
    /// Fails when the copy cannot be made, or when one of the two servers does not start.
    pub fn standby(&mut self, application_name: &str) -> Result<Self, Error> {
        let mut standby = Server::empty(&[])?;
        standby.settings = self.settings.clone();
        self.stop(Stop::Fast)?;
        let copied = self.data();
        let arguments = [OsStr::new("-a"), copied.as_os_str(), standby.folder.path().as_os_str()];
        output(standby.as_other_user(Command::new("cp"))?.args(arguments), "cp")?;
        self.start_again()?;
        let settings = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres \
             application_name={application_name}'\n",
            self.port
        );
        let signal = standby.data().join("standby.signal");
        fs::write(standby.data().join("postgresql.auto.conf"), settings)
            .and_then(|()| fs::write(&signal, ""))
            .map_err(|error| failed("the standby's settings", &error))?;
        give_to_other_user(&signal)?;
        standby.start_again()?;
        Ok(standby)
    }

    /// Ends the recovery of a standby: it becomes a primary.
    ///
    /// # Errors
    ///
    /// Fails when the server does not become a primary in time.
    pub fn promote(&self) -> Result<(), Error> {
        let data = self.data();
        let arguments =
            [OsStr::new("-D"), data.as_os_str(), OsStr::new("-w"), OsStr::new("promote")];
        self.run("pg_ctl", arguments).map(drop)
    }

    fn empty(settings: &[(&str, &str)]) -> Result<Self, Error> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir();
        let folder = folder.map_err(|error| failed("no temporary folder", &error))?;
        give_to_other_user(folder.path())?;
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = settings.iter().map(own).collect();
        let port = free_port().map_err(|error| failed("no free port", &error))?;
        Ok(Server { folder, programs, port, settings, environment: Vec::new(), running: None })
    }

    /// Starts the stopped server again, on the same port.
    ///
    /// # Errors
    ///
    /// Fails when it does not start in time, and shows the end of its log.
    pub fn start_again(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut running = self.spawn()?;
        while !self.is_ready(&running) {
            // A killed server's processes may hold its shared memory for a moment.
            if !matches!(running.shell.try_wait(), Ok(None)) {
                running = self.spawn()?;
            }
            if Instant::now() > deadline {
                return Err(Error(format!("PostgreSQL does not start: {}", self.log_end())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.running = Some(running);
        Ok(())
    }

    /// Stops the server.
    ///
    /// # Errors
    ///
    /// Fails when it does not end in time.
    pub fn stop(&mut self, how: Stop) -> Result<(), Error> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let postmaster = running.postmaster;
        match how {
            Stop::Fast => kill(postmaster, Signal::SIGINT),
            Stop::Immediate => kill(postmaster, Signal::SIGQUIT),
            Stop::Kill => {
                let sessions = children(postmaster);
                let killed = kill(postmaster, Signal::SIGKILL);
                for session in sessions {
                    // The server may have ended by itself.
                    let _ = kill(session, Signal::SIGKILL);
                }
                killed
            }
        }
        .map_err(|error| Error(format!("kill {postmaster}: {error}")))?;
        let deadline = Instant::now() + PATIENCE;
        while matches!(running.shell.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                return Err(Error(format!("PostgreSQL does not stop: {}", self.log_end())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Returns the URL of the database `postgres`, for its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the server's Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the process id of the postmaster, while it runs.
    pub fn postmaster(&self) -> Option<Pid> {
        self.running.as_ref().map(|running| running.postmaster)
    }

    /// Runs a program of PostgreSQL with these arguments, and returns its output.
    ///
    /// # Errors
    ///
    /// Fails when the program fails, and shows its output.
    pub fn run<'a>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Output, Error> {
        let mut command = self.as_other_user(Command::new(self.programs.join(program)))?;
        output(command.args(arguments), program)
    }

    fn spawn(&self) -> Result<Running, Error> {
        // The shell outlives this process, whose end closes the shell's standard input. Then the
        // shell ends the server and removes its folder.
        let script = r#"exec 3>&1 1>&2 4<&0 0</dev/null
            "$@" & server=$!
            echo $server >&3; exec 3>&-
            {
                while read -r _; do :; done
                : >"$0/orphaned"
                kill -QUIT $server 2>/dev/null
            } <&4 & watch=$!
            exec 4<&-
            wait $server
            kill $watch 2>/dev/null
            if [ -e "$0/orphaned" ]; then rm -rf "$0"; fi"#;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file());
        let log = log.map_err(|error| failed("the server's log", &error))?;
        let (pids, pid_end) = io::pipe().map_err(|error| failed("pipe", &error))?;
        let mut command = self.as_other_user(Command::new("/bin/sh"))?;
        let error_log = log.try_clone().map_err(|error| failed("the server's log", &error))?;
        command.args(["-c", script]).arg(self.folder.path());
        command.arg(self.programs.join("postgres")).arg("-D").arg(self.data());
        command.arg("-k").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]);
        for (name, value) in &self.settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(pid_end).stderr(error_log);
        let shell = command.spawn().map_err(|error| failed("sh", &error))?;
        drop(command);
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(pids), &mut line)
            .map_err(|error| failed("the server's process id", &error))?;
        let pid = line.trim().parse().map_err(|_| Error(format!("no process id: {line:?}")))?;
        Ok(Running { shell, postmaster: Pid::from_raw(pid) })
    }

    fn as_other_user(&self, mut command: Command) -> Result<Command, Error> {
        // The other user may lack the right to read the folder of this process.
        command.current_dir(self.folder.path());
        if let Some(user) = other_user()? {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(command)
    }

    /// Returns whether the server takes connections. The eighth line of its pid file says so.
    fn is_ready(&self, running: &Running) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines().map(str::trim);
        // A killed server leaves its file.
        lines.next() == Some(&running.postmaster.to_string()) && lines.nth(6) == Some("ready")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Returns what the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Stop::Immediate) {
            let _ = writeln!(io::stderr(), "{error}");
        }
    }
}

/// Runs a command, and returns its output.
fn output(command: &mut Command, name: &str) -> Result<Output, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(name, &error))?;
    if output.status.success() {
        return Ok(output);
    }
    let wrote = String::from_utf8_lossy(&output.stderr);
    Err(Error(format!("{name} failed ({}): {wrote}", output.status)))
}

/// Returns the user for a server, if this process runs as root.
fn other_user() -> Result<Option<User>, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    match User::from_name("postgres") {
        Ok(Some(user)) => Ok(Some(user)),
        _ => Err(Error(
            "PostgreSQL does not run as root, and there is no user `postgres`; install your \
             system's package of the server, which makes one: `apt-get install postgresql`"
                .to_owned(),
        )),
    }
}

/// Gives a file or a folder to the server's user.
fn give_to_other_user(path: &Path) -> Result<(), Error> {
    let Some(user) = other_user()? else { return Ok(()) };
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .map_err(|error| failed("chown", &error))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Returns the child processes of this process.
fn children(parent: Pid) -> Vec<Pid> {
    let list = Path::new("/proc").join(parent.to_string());
    let list = list.join("task").join(parent.to_string()).join("children");
    let list = fs::read_to_string(list).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}
