//! What a user needs to know first.

use intercom_sandbox::Sandbox;

pub(crate) fn greeting(sandbox: &Sandbox) -> String {
    let (url, token) = (sandbox.url(), sandbox.token());
    let mut lines =
        vec![format!("open {url}/"), format!("Intercom's API is {url}, the access token {token}")];
    let faults = sandbox.faults();
    for fault in &faults {
        lines.push(format!("fault {}: {}", fault.id(), fault.fault()));
    }
    if !faults.is_empty() {
        lines.push(format!("to meet the same faults again: --seed {}", sandbox.seed()));
    }
    lines.push("try it:".to_owned());
    lines.push(format!(
        "  curl -i {url}/events -H 'Authorization: Bearer {token}' \
         -H 'Accept: application/json' -H 'Content-Type: application/json' \
         -d '{{\"event_name\":\"project_created\",\"created_at\":'$(date +%s)',\
         \"user_id\":\"42\",\"metadata\":{{\"project_name\":\"Apollo\"}}}}'"
    ));
    lines.push("Ctrl-C ends it".to_owned());
    lines.join("\n")
}
