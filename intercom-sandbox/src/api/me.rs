//! `GET /me`, by which clients check their credentials.

use serde_json::json;

use crate::reply::Reply;
use crate::workspace::Workspace;

/// The admin whose token it is, with the app: as Intercom's description of version 2.16 has it. All
/// tokens are of one workspace, which is what Intercom calls an app here.
pub(super) fn get(workspace: &Workspace) -> Reply {
    Reply::json(&json!({
        "type": "admin",
        "id": "1",
        "email": "admin@sandbox.example",
        "name": "Sandbox",
        "email_verified": true,
        "app": {
            "type": "app",
            "id_code": workspace.apps.first().credentials.app_id,
            "name": "Sandbox",
            "created_at": 0,
            "secure": false,
            "identity_verification": false,
            "timezone": "UTC",
            "region": workspace.settings.region,
        },
        "avatar": {"type": "avatar", "image_url": "https://sandbox.example/admin.png"},
        "has_inbox_seat": true,
    }))
}
