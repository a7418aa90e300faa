//! The first lines that the program prints.

use crate::Sandbox;

/// Returns the greeting, with an example request for a known contact.
pub(crate) fn greeting(sandbox: &Sandbox, knows_everybody: bool) -> String {
    let (url, token) = (sandbox.url(), sandbox.token());
    let contacts = sandbox.contacts();
    let known = contacts.iter().find(|contact| !contact.is_archived());
    let whose = match known {
        Some(contact) => match (contact.user_id(), contact.email()) {
            (Some(user_id), _) if !contact.is_lead() => ("user_id", user_id),
            (None, Some(email)) if !contact.is_lead() => ("email", email),
            _ => ("id", contact.contact_id()),
        },
        None => ("user_id", "42"),
    };
    let mut lines =
        vec![format!("open {url}/"), format!("Intercom's API is {url}, the access token {token}")];
    let faults = sandbox.faults();
    for fault in &faults {
        lines.push(format!("fault {}: {}", fault.id(), fault.fault()));
    }
    // Without a percentage, no fault depends on the seed.
    if faults.iter().any(|fault| fault.fault().to_string().contains('%')) {
        lines.push(format!("to meet the same faults again: --seed {}", sandbox.seed()));
    }
    let head = |path: &str| {
        format!(
            "  curl -i {url}{path} -H 'Authorization: Bearer {}' \
             -H 'Accept: application/json' -H 'Content-Type: application/json' \
             -d ",
            quoted(token)
        )
    };
    if known.is_none() && !knows_everybody {
        lines.push(
            "it knows nobody, and answers events with 404: --know-everybody, --contact and \
             --contacts change that, and so does this:"
                .to_owned(),
        );
        lines.push(head("/contacts") + r#"'{"role":"user","external_id":"42"}'"#);
        lines.push("then try an event:".to_owned());
    } else {
        lines.push("try it:".to_owned());
    }
    lines.push(format!(
        "{}'{{\"event_name\":\"project_created\",\"created_at\":'$(date +%s)',\
         {},\"metadata\":{{\"project_name\":\"Apollo\"}}}}'",
        head("/events"),
        quoted(&member(whose))
    ));
    lines.push("Ctrl-C ends it".to_owned());
    lines.join("\n")
}

/// Returns a member of a JSON object.
fn member((name, value): (&str, &str)) -> String {
    format!("{name:?}:{}", serde_json::Value::from(value))
}

/// Quotes a text for single quotes in a shell.
fn quoted(text: &str) -> String {
    text.replace('\'', r"'\''")
}
