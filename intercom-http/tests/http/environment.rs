//! Process-wide settings: environment variables and CA certificates. Each test runs one of the
//! ignored tests below in a process.

use std::ffi::OsStr;
use std::process::Command;

use intercom_http::HttpTransport;

use crate::TOKEN;

/// The inherited variables that these tests set or remove.
const VARIABLES: [&str; 11] = [
    "INTERCOM_ACCESS_TOKEN",
    "INTERCOM_REGION",
    "INTERCOM_BASE_URL",
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Runs one of the ignored tests with only these variables of Intercom and of proxies. Returns its
/// output.
pub(crate) fn run(test: &str, variables: &[(&str, &dyn AsRef<OsStr>)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    for (variable, value) in variables {
        command.env(variable, value);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.into_owned()
}

#[test]
fn the_variables_are_read() {
    run(
        "environment::with_variables",
        &[("INTERCOM_ACCESS_TOKEN", &TOKEN), ("INTERCOM_REGION", &"au")],
    );
}

#[test]
#[ignore = "a test above runs it in a process"]
fn with_variables() {
    let transport = HttpTransport::from_env().unwrap();
    assert!(format!("{transport:?}").contains("https://api.au.intercom.io/"), "{transport:?}");
}

#[test]
fn a_missing_token_is_named() {
    run("environment::without_variables", &[("INTERCOM_ACCESS_TOKEN", &"")]);
}

#[test]
#[ignore = "a test above runs it in a process"]
fn without_variables() {
    let error = HttpTransport::from_env().unwrap_err();
    assert!(error.to_string().contains("`INTERCOM_ACCESS_TOKEN` is not set"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_ca_certificates_building_fails_and_does_not_panic() {
    let empty = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-certificates");
    std::fs::create_dir_all(&empty).unwrap();
    let file = empty.join("none.pem");
    std::fs::write(&file, "").unwrap();
    run(
        "environment::without_ca_certificates",
        &[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &empty)],
    );
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "a test above runs it in a process"]
fn without_ca_certificates() {
    let error = HttpTransport::builder(TOKEN).build().unwrap_err();
    assert!(error.to_string().contains("CA certificates"), "{error}");
    // A sandbox needs no CA certificates.
    HttpTransport::builder(TOKEN).base_url("http://127.0.0.1:9000").build().unwrap();
}
