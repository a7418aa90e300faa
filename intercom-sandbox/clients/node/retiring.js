// Contacts: archived, blocked, deleted and merged.
"use strict";

const assert = require("node:assert/strict");
const { check, refused } = require("./checks.js");

module.exports = async (client) => {
  const now = Math.floor(Date.now() / 1000);

  /** A lead and a user with one email, which Intercom requires for a merge. */
  const twins = async (external_id) => {
    const email = `${external_id}@example.com`;
    const lead = await client.contacts.create({ role: "lead", email });
    const user = await client.contacts.create({ external_id, email });
    return [lead, user];
  };

  await check("archive: a contact, and unarchive it", async () => {
    const { id } = await client.contacts.create({ external_id: "archived-1" });
    const gone = await client.contacts.archive({ contact_id: id });
    assert.deepEqual(gone, { type: "contact", id, external_id: "archived-1", archived: true });

    const error = await refused(() => client.contacts.create({ external_id: "archived-1" }), {
      status: 409,
      code: "conflict",
      message: /^An archived contact matching those details already exists with id=/,
    });
    assert.ok(error.body.errors[0].message.endsWith(`id=${id}`), error.message);

    const back = await client.contacts.unarchive({ contact_id: id });
    assert.deepEqual(back, { type: "contact", id, external_id: "archived-1", archived: false });
    const found = await client.contacts.find({ contact_id: id });
    assert.equal(found.external_id, "archived-1");
  });

  await check("archive: no events for an archived contact", async () => {
    const { id } = await client.contacts.create({ external_id: "archived-2" });
    await client.contacts.archive({ contact_id: id });
    const event = { user_id: "archived-2", event_name: "e", created_at: now };
    await refused(() => client.events.create(event), { status: 404, code: "not_found" });
  });

  await check("block: the answer has blocked", async () => {
    const { id } = await client.contacts.create({ role: "lead" });
    const blocked = await client.contacts.blockContact({ contact_id: id });
    assert.deepEqual(blocked, { type: "contact", id, external_id: null, blocked: true });
  });

  await check("delete: a contact is gone", async () => {
    const { id } = await client.contacts.create({ external_id: "deleted-1" });
    const gone = await client.contacts.delete({ contact_id: id });
    assert.deepEqual(gone, { type: "contact", id, external_id: "deleted-1", deleted: true });
    const missing = { status: 404, code: "not_found" };
    await refused(() => client.contacts.find({ contact_id: id }), missing);
    await refused(() => client.contacts.delete({ contact_id: id }), missing);
    const again = await client.contacts.create({ external_id: "deleted-1" });
    assert.notEqual(again.id, id);
  });

  await check("merge: a lead into a user, with its events", async () => {
    const [lead, user] = await twins("merged-1");
    await client.events.create({ id: lead.id, event_name: "as_lead", created_at: now - 2 });
    await client.events.create({ id: user.id, event_name: "as_user", created_at: now - 1 });

    const merged = await client.contacts.mergeLeadInUser({ from: lead.id, into: user.id });
    assert.equal(merged.id, user.id);
    assert.equal(merged.role, "user");
    assert.equal(merged.external_id, "merged-1");

    const { events } = await client.events.list({ type: "user", user_id: "merged-1" });
    assert.deepEqual(events.map((event) => event.event_name), ["as_user", "as_lead"]);
  });

  await check("merge: a request for the lead names the user", async () => {
    const [lead, user] = await twins("merged-2");
    await client.contacts.mergeLeadInUser({ from: lead.id, into: user.id });
    // The version that the client sends by itself is older than that answer.
    const find = (options) => () => client.contacts.find({ contact_id: lead.id }, options);
    await refused(find({}), { status: 404, code: "not_found" });
    const error = await refused(find({ version: "2.16" }), { status: 410, code: "contact_merged" });
    assert.match(error.rawResponse.headers.get("link"), new RegExp(`/contacts/${user.id}>`));
  });

  await check("merge: a user into a user is refused", async () => {
    const one = await client.contacts.create({ external_id: "merged-3" });
    const other = await client.contacts.create({ external_id: "merged-4" });
    const merge = client.contacts.mergeLeadInUser({ from: one.id, into: other.id });
    await assert.rejects(merge, (error) => {
      assert.ok(error.statusCode >= 400 && error.statusCode < 500, error.stack);
      assert.equal(error.body.type, "error.list");
      return true;
    });
    assert.equal((await client.contacts.find({ contact_id: one.id })).id, one.id);
  });
};
