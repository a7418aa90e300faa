// Named checks, one after the other, each ending as one line of JSON on standard output; and the
// assertions that most of them share.
"use strict";

const assert = require("node:assert/strict");
const { IntercomError } = require("intercom-client");

let failures = 0;

/** Runs one check. What it throws is its failure, and the checks after it run all the same. */
async function check(name, body) {
  let reason = null;
  try {
    await body();
  } catch (error) {
    failures += 1;
    reason = error instanceof Error ? error.stack : String(error);
  }
  console.log(JSON.stringify({ check: name, reason }));
}

/** How many checks have failed so far. */
function failed() {
  return failures;
}

/**
 * Asserts that a call fails with the client's own error, which has Intercom's error list, and
 * gives that error for more assertions.
 */
async function refused(call, { status, code, message = /./, type = IntercomError }) {
  const error = await call().then(
    (answer) => assert.fail(`expected ${status} ${code}, got ${JSON.stringify(answer)}`),
    (thrown) => thrown,
  );
  assert.ok(error instanceof type, `expected ${type.name}, got ${error.stack}`);
  assert.equal(error.statusCode, status, error.message);
  assert.equal(error.body.type, "error.list");
  assert.equal(error.body.errors[0].code, code);
  assert.match(error.body.errors[0].message, message);
  assert.equal(error.body.request_id, error.rawResponse.headers.get("x-request-id"));
  return error;
}

module.exports = { check, failed, refused };
