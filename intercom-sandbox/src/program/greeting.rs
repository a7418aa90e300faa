//! The first lines that the program prints.

use super::log::Values;
use crate::Sandbox;

/// The user of the example request, if the output may not name a contact.
const EXAMPLE_USER: &str = "42";

/// Returns the greeting, with an example request for a known contact.
pub(crate) fn greeting(sandbox: &Sandbox, knows_everybody: bool, values: Values) -> String {
    let (url, token) = (sandbox.url(), sandbox.token());
    let contacts = sandbox.contacts();
    let known = contacts.iter().find(|contact| {
        !contact.is_archived()
            && (values == Values::Shown || contact.user_id() == Some(EXAMPLE_USER))
    });
    let whose = match known {
        Some(contact) => match (contact.user_id(), contact.email()) {
            (Some(user_id), _) if !contact.is_lead() => ("user_id", user_id),
            (None, Some(email)) if !contact.is_lead() => ("email", email),
            _ => ("id", contact.contact_id()),
        },
        None => ("user_id", EXAMPLE_USER),
    };
    let mut lines =
        vec![format!("open {url}/"), format!("Intercom's API is {url}, the access token {token}")];
    let faults = sandbox.faults();
    for fault in &faults {
        lines.push(format!("fault {}: {}", fault.id(), fault.fault()));
    }
    // Without a percentage, no fault depends on the seed.
    if faults.iter().any(|fault| fault.fault().to_string().contains('%')) {
        lines.push(format!("to repeat these faults: --seed {}", sandbox.seed()));
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
        lines.push(if contacts.is_empty() {
            "no contact is known, so events get 404; add contacts with --know-everybody, \
             --contact or --contacts, or with this request:"
                .to_owned()
        } else {
            "create a contact:".to_owned()
        });
        lines.push(
            head("/contacts") + &format!(r#"'{{"role":"user","external_id":"{EXAMPLE_USER}"}}'"#),
        );
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
