// Access: tokens, and versions of the API.
"use strict";

const assert = require("node:assert/strict");
const { Intercom, IntercomClient } = require("intercom-client");
const { check, refused } = require("./checks.js");

module.exports = async (client, baseUrl) => {
  const stranger = new IntercomClient({ baseUrl, token: "of-nobody" });
  const refusal = { status: 401, code: "unauthorized", message: /Access Token Invalid/ };

  await check("me: the admin and its app", async () => {
    const me = await client.admins.identify();
    assert.equal(me.type, "admin");
    assert.equal(typeof me.id, "string");
    assert.match(me.email, /@/);
    assert.equal(me.app.type, "app");
    assert.equal(typeof me.app.id_code, "string");
    assert.equal(typeof me.app.created_at, "number");
  });

  await check("wrong token: reading the admin", () =>
    refused(() => stranger.admins.identify(), refusal));

  await check("wrong token: sending an event", () =>
    refused(
      () => stranger.events.create({ event_name: "e", created_at: 1700000000, user_id: "1" }),
      { ...refusal, type: Intercom.UnauthorizedError },
    ));

  await check("wrong token: searching contacts", () =>
    refused(
      () => stranger.contacts.search({ query: { field: "email", operator: "=", value: "a" } }),
      { ...refusal, type: Intercom.UnauthorizedError },
    ));

  await check("versions: one of the client's", async () => {
    for (const version of ["2.7", "2.11", "Unstable"]) {
      const me = await client.admins.identify({ version });
      assert.equal(me.type, "admin", version);
    }
  });

  await check("versions: an unknown one", () =>
    refused(() => client.admins.identify({ version: "9.9" }), {
      status: 400,
      code: "intercom_version_invalid",
    }));
};
