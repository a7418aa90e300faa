// Runs Intercom's official Node client against the sandbox: `node main.js SANDBOX LIMITED`, two
// base URLs. The second allows few requests in ten seconds. INTERCOM_API_KEY has the token, because
// the client reads that variable.
"use strict";

const { IntercomClient } = require("intercom-client");
const { name, version } = require("intercom-client/package.json");
const { failed } = require("./checks.js");

async function main([sandbox, limited]) {
  console.log(JSON.stringify({ client: `${name} ${version}` }));
  const client = new IntercomClient({ baseUrl: sandbox });
  await require("./access.js")(client, sandbox);
  await require("./events.js")(client);
  await require("./listing.js")(client, sandbox);
  await require("./contacts.js")(client);
  await require("./retiring.js")(client);
  await require("./search.js")(client);
  await require("./faults.js")(client, sandbox);
  await require("./rate_limit.js")(limited);
  process.exitCode = failed() === 0 ? 0 : 1;
}

main(process.argv.slice(2));
