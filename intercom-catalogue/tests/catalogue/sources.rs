//! Derived events that no catalogue lists.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use intercom_catalogue::{Lock, Plan, SourcesError};

/// A crate with these files in its `src`.
fn a_crate(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join("src").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn plan(lines: &str) -> Plan {
    Lock::parse(&format!("version 1\n{lines}")).unwrap().plan().clone()
}

const EVENTS: &[(&str, &str)] = &[
    (
        "lib.rs",
        r#"
mod events;
#[cfg(test)]
mod tests;
#[cfg(all(test, unix))]
mod unix_tests { #[derive(IntercomEvent)] #[event(name = "of_a_unix_test")] struct OfATest; }

#[test]
fn a_test() { #[derive(IntercomEvent)] #[event(name = "within_a_test")] struct Within; }

fn a_function() {
    #[derive(Debug, intercom_core::IntercomEvent)]
    #[event(rename_all = "camelCase", crate = intercom_core, max_keys = 11, name = "within_a_function")]
    struct Within { key: u64 }
}
"#,
    ),
    (
        "events/mod.rs",
        r#"
#[derive(IntercomEvent)]
enum Project<'a> {
    #[event(name = "project_created", also = rules::big)]
    Created { name: &'a str },
    #[event(was = "project_removed")]
    #[event(name = "project_deleted")]
    Deleted,
}

#[cfg_attr(feature = "reports", derive(Clone, IntercomEvent))]
#[event(name = "report_exported")]
struct ReportExported;

#[derive(EventMetadata)]
struct Group { name: String }
"#,
    ),
    (
        "tests.rs",
        r#"mod more; #[derive(IntercomEvent)] #[event(name = "of_tests")] struct OfTests;"#,
    ),
    ("tests/more.rs", r#"#[derive(IntercomEvent)] #[event(name = "of_more_tests")] struct More;"#),
];

#[test]
fn each_is_reported_with_its_file_and_line() {
    let folder = a_crate(EVENTS);
    let error = plan("event project_created").check_complete(folder.path()).unwrap_err();
    let SourcesError::Unlisted { unlisted, .. } = &error else { panic!("{error}") };
    let told: Vec<_> = unlisted.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "src/events/mod.rs:8: add `Project`, which sends `project_deleted`",
            "src/events/mod.rs:13: add `ReportExported`, which sends `report_exported`",
            "src/lib.rs:14: add `Within`, which sends `within_a_function`",
        ]
    );
    let panic = catch_unwind(|| plan("event a").assert_complete(folder.path())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("does not list every event"));
}

#[test]
fn a_complete_catalogue_may_list_events_of_other_crates() {
    let folder = a_crate(EVENTS);
    let all = "event Project_Created\nevent project_deleted\nevent report_exported\nevent within_a_function\nevent of_another_crate";
    plan(all).assert_complete(folder.path());
    let acme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/acme-events");
    Plan::of(&acme_events::ACME).assert_complete(acme);
}

#[test]
fn an_empty_check_fails() {
    let empty = a_crate(&[("lib.rs", "struct NoEvent;")]);
    let error = plan("event a").check_complete(empty.path()).unwrap_err();
    assert!(matches!(error, SourcesError::NoEvents(_)));
    assert!(error.to_string().contains("CARGO_MANIFEST_DIR"));
    let nowhere = plan("event a").check_complete(empty.path().join("nowhere"));
    assert!(matches!(nowhere, Err(SourcesError::Io { .. })));
    let broken = a_crate(&[("lib.rs", "struct {")]);
    let error = plan("event a").check_complete(broken.path()).unwrap_err();
    assert!(matches!(error, SourcesError::Syntax { .. }));
}
