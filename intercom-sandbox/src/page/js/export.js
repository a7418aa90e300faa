// The records that are shown, as a file.

import { h } from "./dom.js";

/** What the sandbox told of each, without what the page has worked out. */
const MEMBERS = ["number", "received_at", "method", "path", "query", "status", "outcome", "fault", "event", "problems", "warnings", "headers", "body", "answer"];

export function download(records) {
  const told = records.map((record) => Object.fromEntries(MEMBERS.map((member) => [member, record[member]])));
  const file = new Blob([JSON.stringify({ requests: told }, null, 2)], { type: "application/json" });
  const address = URL.createObjectURL(file);
  h("a", { href: address, download: "sandbox-requests.json" }).click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
