// Contacts: made, found and changed.
"use strict";

const assert = require("node:assert/strict");
const { check, refused } = require("./checks.js");

module.exports = async (client) => {
  const missing = { status: 404, code: "not_found" };

  await check("contacts: a user by external id", async () => {
    const contact = await client.contacts.create({ external_id: "made-1", name: "Ada" });
    complete(contact);
    assert.equal(contact.role, "user");
    assert.equal(contact.external_id, "made-1");
    assert.equal(contact.name, "Ada");
  });

  await check("contacts: a user by email", async () => {
    const contact = await client.contacts.create({ email: "made@example.com" });
    complete(contact);
    assert.equal(contact.role, "user");
    assert.equal(contact.email, "made@example.com");
  });

  await check("contacts: a lead", async () => {
    const contact = await client.contacts.create({ role: "lead", name: "Grace" });
    complete(contact);
    assert.equal(contact.role, "lead");
    assert.equal(contact.name, "Grace");
  });

  await check("contacts: every detail comes back as given", async () => {
    const details = {
      phone: "+353871234567",
      signed_up_at: 1700000000,
      last_seen_at: 1700000001,
      owner_id: 12,
      unsubscribed_from_emails: true,
      custom_attributes: { plan: "premium", seats: 7, paying: true },
    };
    const avatar = "https://example.com/ada.png";
    const made = await client.contacts.create({ external_id: "made-6", avatar, ...details });
    for (const [key, value] of Object.entries(details)) assert.deepEqual(made[key], value, key);
    // Intercom answers with an object, other than the client's type says.
    assert.deepEqual(made.avatar, { type: "avatar", image_url: avatar });
  });

  await check("contacts: an existing one, with its id in the message", async () => {
    const made = [{ external_id: "made-1" }, { email: "made@example.com" }];
    for (const details of made) {
      const error = await refused(() => client.contacts.create(details), {
        status: 409,
        code: "conflict",
        message: /^A contact matching those details already exists with id=\S+$/,
      });
      const [, contact_id] = error.body.errors[0].message.split("id=");
      const existing = await client.contacts.find({ contact_id });
      for (const [key, value] of Object.entries(details)) assert.equal(existing[key], value);
    }
  });

  await check("contacts: found by id", async () => {
    const made = await client.contacts.create({ external_id: "made-2" });
    assert.deepEqual(await client.contacts.find({ contact_id: made.id }), made);
  });

  await check("contacts: found by external id", async () => {
    const external_id = "made 3 + ü";
    const made = await client.contacts.create({ external_id });
    const found = await client.contacts.showContactByExternalId({ external_id });
    assert.equal(found.id, made.id);
    assert.equal(found.external_id, external_id);
  });

  await check("contacts: an unknown one", async () => {
    const { contacts } = client;
    await refused(() => contacts.find({ contact_id: "nobody" }), missing);
    await refused(() => contacts.showContactByExternalId({ external_id: "nobody" }), missing);
    await refused(() => contacts.update({ contact_id: "nobody", name: "N" }), missing);
  });

  await check("contacts: an update changes only the given members", async () => {
    const made = await client.contacts.create({ external_id: "made-4", name: "Ada" });
    const change = { email: "made4@example.com", phone: "+353871234567" };
    const changed = await client.contacts.update({ contact_id: made.id, ...change });
    complete(changed);
    assert.equal(changed.email, change.email);
    assert.equal(changed.phone, change.phone);
    assert.equal(changed.name, "Ada");
    assert.equal(changed.external_id, "made-4");
    assert.ok(changed.updated_at >= made.updated_at);
    assert.deepEqual(await client.contacts.find({ contact_id: made.id }), changed);
  });

  await check("contacts: a lead becomes a user", async () => {
    const lead = await client.contacts.create({ role: "lead" });
    const change = { contact_id: lead.id, role: "user", external_id: "made-5" };
    const user = await client.contacts.update(change);
    assert.equal(user.role, "user");
    const found = await client.contacts.showContactByExternalId({ external_id: "made-5" });
    assert.equal(found.id, lead.id);
  });
};

/** Asserts what the client's types promise of every contact. */
function complete(contact) {
  assert.equal(contact.type, "contact");
  for (const key of ["id", "workspace_id", "role"]) {
    assert.equal(typeof contact[key], "string", key);
  }
  for (const key of ["has_hard_bounced", "marked_email_as_spam", "unsubscribed_from_emails"]) {
    assert.equal(typeof contact[key], "boolean", key);
  }
  for (const key of ["created_at", "updated_at"]) {
    assert.ok(Number.isInteger(contact[key]), key);
  }
}
