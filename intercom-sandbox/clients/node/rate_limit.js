// The rate limit, with the client's own retries and without.
"use strict";

const assert = require("node:assert/strict");
const { IntercomClient, IntercomError } = require("intercom-client");
const { check } = require("./checks.js");

module.exports = async (baseUrl) => {
  const client = new IntercomClient({ baseUrl });

  await check("rate limit: an error with the time of the reset", async () => {
    const error = await exhaust(client);
    assert.equal(error.body.errors[0].code, "rate_limit_exceeded");
    const header = (name) => Number(error.rawResponse.headers.get(`x-ratelimit-${name}`));
    assert.equal(header("limit"), 3);
    assert.equal(header("remaining"), 0);
    const wait = header("reset") - Date.now() / 1000;
    assert.ok(wait > -1 && wait <= 11, `the window ends in ${wait} s`);
  });

  await check("rate limit: the client retries by itself", async () => {
    await exhaust(client);
    const me = await client.admins.identify();
    assert.equal(me.type, "admin");
  });
};

/** Calls until the limit. A window may end in between, but not many times. */
async function exhaust(client) {
  for (let calls = 0; calls < 20; calls += 1) {
    try {
      await client.admins.identify({ maxRetries: 0 });
    } catch (error) {
      assert.ok(error instanceof IntercomError, error.stack);
      assert.equal(error.statusCode, 429, error.message);
      return error;
    }
  }
  return assert.fail("the sandbox allowed all twenty requests");
}
