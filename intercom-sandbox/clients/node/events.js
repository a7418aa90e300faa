// Sending events.
"use strict";

const assert = require("node:assert/strict");
const { check, refused } = require("./checks.js");

module.exports = async (client) => {
  const now = Math.floor(Date.now() / 1000);
  const user = { external_id: "sender-1" };
  const email = "sender@example.com";

  await check("events: for a user id", async () => {
    await client.contacts.create(user);
    await client.events.create({ user_id: "sender-1", event_name: "by_user_id", created_at: now });
    const { events } = await client.events.list({ type: "user", user_id: "sender-1" });
    assert.deepEqual(events.map((event) => event.event_name), ["by_user_id"]);
  });

  await check("events: for an email", async () => {
    await client.contacts.create({ email });
    await client.events.create({ email, event_name: "by_email", created_at: now });
    const { events } = await client.events.list({ type: "user", email });
    assert.deepEqual(events.map((event) => event.event_name), ["by_email"]);
  });

  await check("events: for a lead's contact id", async () => {
    const { id } = await client.contacts.create({ role: "lead" });
    await client.events.create({ id, event_name: "by_contact_id", created_at: now });
    const { events } = await client.events.list({ type: "user", intercom_user_id: id });
    assert.deepEqual(events.map((event) => event.event_name), ["by_contact_id"]);
  });

  await check("events: metadata comes back as sent", async () => {
    const metadata = {
      project_name: "Apollo",
      seats: 7,
      load: 3.67,
      renewal_date: now,
      page: "https://example.com/apollo",
      invoice: { url: "https://example.com/i/7", value: "Invoice 7" },
      price: { amount: 34999, currency: "eur" },
      stripe_customer: "cus_7",
    };
    const sent = { user_id: "sender-1", event_name: "with_metadata", created_at: now, metadata };
    await client.events.create(sent);
    const { events } = await client.events.list({ type: "user", user_id: "sender-1" });
    const event = events.find(({ event_name }) => event_name === "with_metadata");
    assert.deepEqual(event.metadata, metadata);
  });

  await check("events: a duplicate is accepted and ignored", async () => {
    const event = { user_id: "sender-1", event_name: "twice", created_at: now };
    await client.events.create(event);
    const { rawResponse } = await client.events.create(event).withRawResponse();
    assert.equal(rawResponse.status, 202);
    const { events } = await client.events.list({ type: "user", user_id: "sender-1" });
    assert.equal(events.filter(({ event_name }) => event_name === "twice").length, 1);
  });

  await check("events: an unknown user is refused", () =>
    refused(
      () => client.events.create({ user_id: "nobody", event_name: "e", created_at: now }),
      { status: 404, code: "not_found", message: /^User Not Found$/ },
    ));

  await check("events: a blank name is refused with its field", async () => {
    const event = { user_id: "sender-1", event_name: "", created_at: now };
    const refusal = { status: 400, code: "parameter_not_found" };
    const error = await refused(() => client.events.create(event), refusal);
    assert.equal(error.body.errors[0].field, "event_name");
  });

  await check("events: a long text is refused with its key", async () => {
    const metadata = { essay: "x".repeat(256) };
    const event = { user_id: "sender-1", event_name: "essay", created_at: now, metadata };
    const refusal = { status: 422, code: "parameter_invalid" };
    const error = await refused(() => client.events.create(event), refusal);
    assert.equal(error.body.errors[0].field, "metadata.essay");
  });
};
