//! PgBouncer stands before PostgreSQL, in transaction mode, with two connections for all processes.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::unistd::{User, geteuid};
use tempfile::TempDir;
use test_postgres::Server;
use tests::Summary;
use tokio::runtime::Runtime;

use super::{judged, server};
use crate::pause::{PATIENCE, until};
use crate::rig::{Rig, Setup};

pub(super) fn part(runtime: &Runtime, summary: &mut Summary) {
    let Some(program) = program() else {
        return summary.skip("bouncer", "PgBouncer is not installed: apt-get install pgbouncer");
    };
    let Some(server) = server("bouncer", &[], summary) else { return };
    let bouncer = Bouncer::start(&program, &server);
    let complaints = runtime.block_on(async {
        let mut setup = Setup::new(&bouncer.url());
        setup.listen = false;
        let mut rig = Rig::start(setup).await;
        let is_up = until(PATIENCE, || TcpStream::connect(("127.0.0.1", bouncer.port)).is_ok());
        let is_up = is_up.await;
        rig.expect(is_up, "PgBouncer does not start");
        rig.start_processes(3).await;
        rig.arrive(60).await;
        rig.refuse(&server, 3).await;
        let Some(deliverer) = rig.deliverer() else { return judged(rig, &server).await };
        let number = rig.processes[deliverer].number;
        rig.disturb("the test killed the deliverer", async |rig| {
            rig.kill(deliverer);
            rig.taken_over(number, Instant::now()).await;
            rig.arrive(60).await;
        })
        .await;
        judged(rig, &server).await
    });
    summary.add("bouncer", &complaints);
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

/// Dropping it ends the process.
struct Bouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Bouncer {
    fn start(program: &PathBuf, server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.port(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        // PgBouncer refuses to run as root.
        if geteuid().is_root()
            && let Ok(Some(user)) = User::from_name("postgres")
        {
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            chown(&file, Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid);
        }
        let child = command.arg(OsStr::new("-q")).arg(&file).stdin(Stdio::null()).spawn().unwrap();
        Bouncer { child, port, _folder: folder }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
