//! Writes the request bodies as a JSON Schema.

use intercom_core::ValueKind;
use intercom_core::rules::MAX_TEXT_CHARS;
use serde_json::{Map, Value, json};

use crate::plan::{Plan, PlannedEvent, PlannedKey};

impl Plan {
    /// Returns a JSON Schema (draft 2020-12) of the bodies of `POST /events`: event name,
    /// `created_at`, contact and metadata.
    pub fn to_json_schema(&self) -> Value {
        let events: Map<_, _> =
            self.events.iter().map(|event| (event.name.clone(), body(event))).collect();
        let one_of: Vec<_> =
            self.events.iter().map(|event| json!({"$ref": reference(&event.name)})).collect();
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "oneOf": one_of,
            "$defs": events,
        });
        for (member, text) in [("title", &self.name), ("description", &self.doc)] {
            if !text.is_empty() {
                schema[member] = text.as_str().into();
            }
        }
        schema
    }
}

/// Returns a pointer to a definition, as a URI fragment.
fn reference(name: &str) -> String {
    let mut pointer = String::from("#/$defs/");
    for byte in name.replace('~', "~0").replace('/', "~1").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                pointer.push(byte.into())
            }
            _ => pointer.push_str(&format!("%{byte:02X}")),
        }
    }
    pointer
}

fn body(event: &PlannedEvent) -> Value {
    let mut properties = json!({
        "event_name": {"const": event.name},
        "created_at": seconds(),
        "user_id": {"type": "string", "minLength": 1},
        "email": {"type": "string", "minLength": 1},
        "id": {"type": "string", "minLength": 1},
    });
    let mut required = vec!["event_name", "created_at"];
    if !event.keys.is_empty() {
        properties["metadata"] = metadata(event);
        if event.keys.iter().any(|key| !key.optional) {
            required.push("metadata");
        }
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "anyOf": [{"required": ["user_id"]}, {"required": ["email"]}, {"required": ["id"]}],
        "additionalProperties": false,
    });
    describe(&mut schema, &event.doc);
    schema
}

fn metadata(event: &PlannedEvent) -> Value {
    let properties: Map<_, _> =
        event.keys.iter().map(|key| (key.key.clone(), value(key))).collect();
    let required: Vec<_> =
        event.keys.iter().filter(|key| !key.optional).map(|key| &key.key).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

fn value(key: &PlannedKey) -> Value {
    let text = json!({"type": "string", "maxLength": MAX_TEXT_CHARS});
    let url = json!({"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[hH][tT][tT][pP][sS]?://"});
    let mut schema = match key.kind {
        ValueKind::Number => json!({"type": "number"}),
        ValueKind::Boolean => json!({"type": "boolean"}),
        ValueKind::Date => seconds(),
        ValueKind::Link => url,
        ValueKind::RichLink => json!({
            "type": "object",
            "properties": {"url": url, "value": text},
            "required": ["url", "value"],
            "additionalProperties": false,
        }),
        ValueKind::Money => json!({
            "type": "object",
            "properties": {
                "amount": {"type": "integer"},
                "currency": {"type": "string", "pattern": "^[a-z]{3}$"},
            },
            "required": ["amount", "currency"],
            "additionalProperties": false,
        }),
        _ if !key.texts.is_empty() => json!({"enum": key.texts}),
        _ => text,
    };
    describe(&mut schema, &key.doc);
    schema
}

/// Returns the schema of Unix seconds.
fn seconds() -> Value {
    json!({"type": "integer"})
}

fn describe(schema: &mut Value, doc: &str) {
    if !doc.is_empty() {
        schema["description"] = doc.into();
    }
}
