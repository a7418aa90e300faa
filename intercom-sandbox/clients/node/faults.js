// How the client handles faults, which the checks inject over the sandbox's admin API.
"use strict";

const assert = require("node:assert/strict");
const { IntercomError } = require("intercom-client");
const { check } = require("./checks.js");

module.exports = async (client, baseUrl) => {
  const created_at = Math.floor(Date.now() / 1000);
  const user_id = "unlucky-1";
  await client.contacts.create({ external_id: user_id });

  const fault = async (text) => {
    const answer = await fetch(`${baseUrl}/_sandbox/faults`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ fault: text }),
    });
    assert.equal(answer.status, 201, await answer.text());
  };
  const times = async (name) => {
    const { events } = await client.events.list({ type: "user", user_id });
    return events.filter(({ event_name }) => event_name === name).length;
  };

  await check("faults: after an outage the client sends again by itself", async () => {
    await fault("503 for next 1");
    await client.events.create({ user_id, event_name: "retried", created_at });
    assert.equal(await times("retried"), 1);
  });

  await check("faults: an event whose answer is lost counts once", async () => {
    const event = { user_id, event_name: "resent", created_at };
    await fault("hang up after acceptance for next 1");
    await assert.rejects(client.events.create(event), IntercomError);
    await client.events.create(event);
    assert.equal(await times("resent"), 1);
  });

  await check("faults: a page of HTML is an error with its text", async () => {
    const event = { user_id, event_name: "unread", created_at };
    await fault("html 502 for next 1");
    await assert.rejects(client.events.create(event, { maxRetries: 0 }), (error) => {
      assert.ok(error instanceof IntercomError, error.stack);
      assert.equal(error.statusCode, 502);
      assert.match(String(error.body), /<html/i);
      return true;
    });
    assert.equal(await times("unread"), 0);
  });
};
