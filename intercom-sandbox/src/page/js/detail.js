// The details of a request: its event, its problems and their fixes, and both messages as sent.

import { post } from "./admin.js";
import { copyButton } from "./copy.js";
import { command } from "./curl.js";
import { untrusted, h, prose, visible } from "./dom.js";
import { counted, exactTime, number } from "./format.js";
import { pretty } from "./json.js";
import { date, kindOf, shown } from "./values.js";

/** The part of a long body to show at first, in characters. */
const PREVIEW = 20_000;

export function makeDetail(record) {
  return h("div", { class: "detail" }, h("div", {}, summary(record)), h("div", {}, request(record), answer(record)));
}

function summary(record) {
  const { number: numbered, time, event, fault, outcome, problems, warnings } = record;
  return [
    problems.length > 0 && [h("h3", {}, problems.length > 1 ? `${problems.length} problems` : "Problem"), h("ul", { class: "problems" }, problems.map(problem))],
    actions(record),
    outcome === "duplicate" &&
      h("p", { class: "note ignored" }, "Ignored as a duplicate: an earlier event has this contact, this name and this second in created_at. Intercom answers as for a new event, and keeps only the first one."),
    fault && h("p", { class: "note fault" }, outcome === "faulted" ? "A fault replaced the answer: " : "A fault changed the answer: ", h("code", {}, untrusted(fault))),
    warnings.map((warning) => h("p", { class: "note warning" }, prose(warning))),
    event && [h("h3", {}, outcome === "accepted" || outcome === "duplicate" ? "Event" : "Event, as far as the sandbox can read it"), eventFacts(event)],
    event && (event.metadata.length > 0 || event.dropped_keys.length > 0) && [h("h3", {}, "Metadata"), metadata(event)],
    h("h3", {}, "Request"),
    facts([
      ["number", h("a", { href: `#request-${numbered}`, title: "The address of this request" }, number(numbered))],
      ["received", exactTime(time)],
    ]),
  ];
}

/** The actions on a request, such as creating its contact or sending it again. */
function actions(record) {
  const result = h("span", { class: "result", role: "status" });
  const act = (doing, done) => {
    result.textContent = "";
    doing().then((answer) => (result.textContent = done(answer)), (error) => (result.textContent = `Not done: ${error.message}.`));
  };
  const contact = unknownContact(record);
  const create = () => act(() => post("/contacts", { contacts: [{ [contact.kind]: contact.value }] }), () => "Created. Now send the request again.");
  const again = () => act(() => post(`/requests/${record.number}/resend`), ({ status }) => `Sent again: ${status ?? "no answer"}.`);
  return h(
    "p",
    { class: "actions" },
    contact && h("button", { onclick: create }, "Create this contact"),
    record.method !== "TLS" && h("button", { onclick: again }, "Send again"),
    record.method !== "TLS" && copyButton("Copy the request as a curl command", command(record), "Copy as curl"),
    copyButton("Copy the address of this request", `${location.origin}/#request-${record.number}`, "Copy link"),
    result,
  );
}

/** The unknown contact of an event. */
function unknownContact({ event, problems, status }) {
  const isUnknown = status === 404 && problems.some(({ code }) => code === "not_found");
  return isUnknown && event?.contact ? event.contact : null;
}

function problem({ code, field, message, hint }) {
  return h(
    "li",
    {},
    h("p", { class: "what" }, untrusted(message)),
    h("p", { class: "rule" }, "rule ", h("code", {}, code), field && [" at ", h("code", {}, untrusted(field))]),
    hint && h("p", { class: "fix" }, prose(hint)),
  );
}

function eventFacts({ name, sent_name, created_at, contact }) {
  const isSeconds = Number.isInteger(created_at);
  return facts([
    ["name", name === null ? missing() : untrusted(name)],
    sent_name !== undefined && ["sent as", [untrusted(sent_name), h("span", { class: "kind" }, "Intercom turns . and $ into -")]],
    [contact?.kind ?? "contact", contact ? untrusted(contact.value) : missing()],
    ["created_at", isSeconds ? [date(created_at), h("span", { class: "kind" }, String(created_at))] : created_at === null ? missing() : untrusted(JSON.stringify(created_at))],
  ].filter(Boolean));
}

function metadata({ metadata: pairs, dropped_keys }) {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([key, value]) => [h("dt", {}, untrusted(key)), h("dd", {}, shown(key, value), h("span", { class: "kind" }, kindOf(key, value)))]),
    dropped_keys.map((key) => [h("dt", { class: "lost" }, untrusted(key)), h("dd", { class: "lost" }, h("span", { class: "flag dropped" }, "dropped without an error"))]),
  );
}

function request({ method, path, query, headers, body }) {
  return wire("Request", `${method} ${path}${query === null ? "" : `?${query}`}`, body, headers);
}

function answer({ status, answer: text }) {
  return wire("Answer", status === null ? "none" : String(status), text);
}

function wire(title, line, text, headers = []) {
  const block = h("pre", { class: "wire", tabindex: 0, "aria-label": `${title}, body` });
  const legible = text === "" ? null : pretty(text.slice(0, PREVIEW + 1).length > PREVIEW ? "" : text);
  const choice = legible && h("span", { class: "choice", role: "group", "aria-label": "Form of the body" });
  const choose = (isPretty) => {
    block.replaceChildren(...(isPretty ? legible.map((node) => (node instanceof Node ? node.cloneNode(true) : node)) : raw(text)));
    [...choice.children].forEach((button, index) => button.setAttribute("aria-pressed", isPretty === (index === 0)));
  };
  choice?.append(h("button", { onclick: () => choose(true) }, "Pretty"), h("button", { onclick: () => choose(false) }, "Raw"));
  let more = null;
  if (legible) {
    choose(true);
  } else if (text.length > PREVIEW) {
    block.append(...raw(text.slice(0, PREVIEW)), "…");
    more = h("button", { class: "more", onclick: () => {
      block.replaceChildren(...raw(text));
      more.remove();
    } }, `Show all ${number(text.length)} characters`);
  } else {
    block.append(...raw(text));
  }
  return [
    h("div", { class: "wire-head" }, h("h3", {}, title), h("code", {}, untrusted(line)), text !== "" && h("span", { class: "tools" }, choice, copyButton(`Copy the body of the ${title.toLowerCase()} as sent`, text))),
    headers.length > 0 && h("details", { class: "headers" }, h("summary", {}, counted(headers.length, "header")), facts(headers.map(([name, value]) => [untrusted(name), untrusted(value)]))),
    text === "" ? h("p", { class: "muted" }, "no body") : [block, more],
  ];
}

/** A body as sent, with its line breaks. */
const raw = (text) => visible(text, "\n\t");

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
}

function missing() {
  return h("span", { class: "muted" }, "missing");
}
