//! A machine without CA certificates. It takes a process of its own to be one.

use std::fs;
use std::process::Command;

use intercom_http::HttpTransport;

use crate::TOKEN;

#[test]
fn without_ca_certificates_building_fails_and_does_not_panic() {
    let empty = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-certificates");
    fs::create_dir_all(&empty).unwrap();
    let file = empty.join("none.pem");
    fs::write(&file, "").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "certificates::on_a_machine_without", "--ignored"])
        .env("SSL_CERT_FILE", &file)
        .env("SSL_CERT_DIR", &empty)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "runs in a process of its own, started by the test above"]
fn on_a_machine_without() {
    let error = HttpTransport::builder(TOKEN).build().unwrap_err();
    assert!(error.to_string().contains("CA certificates"), "{error}");
    // A sandbox needs none.
    HttpTransport::builder(TOKEN).base_url("http://127.0.0.1:9000").build().unwrap();
}
