// Saves the shown requests as a file.

import { h } from "./dom.js";

/** The members of the sandbox, without those that the page adds. */
const MEMBERS = ["number", "received_at", "method", "path", "query", "status", "outcome", "fault", "event", "problems", "warnings", "headers", "body", "answer"];

export function download(records) {
  const requests = records.map((record) => Object.fromEntries(MEMBERS.map((member) => [member, record[member]])));
  const file = new Blob([JSON.stringify({ requests }, null, 2)], { type: "application/json" });
  const address = URL.createObjectURL(file);
  h("a", { href: address, download: "sandbox-requests.json" }).click();
  // The browser has begun to read the file by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
