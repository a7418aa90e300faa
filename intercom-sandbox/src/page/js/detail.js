// What a row opens to: what was understood of the request, what was wrong with it and how to mend it, and
// both ways over the wire as they were.

import { copyButton } from "./copy.js";
import { h, prose } from "./dom.js";
import { counted, exactTime, number } from "./format.js";
import { pretty } from "./json.js";
import { date, kindOf, shown } from "./values.js";

/** How much of a body is shown at first, in characters. */
const SHOWN = 20_000;

export function makeDetail(record) {
  return h("div", { class: "detail" }, h("div", {}, understood(record)), h("div", {}, request(record), answer(record)));
}

function understood({ number: numbered, time, event, fault, outcome, problems }) {
  return [
    problems.length > 0 && [h("h3", {}, problems.length > 1 ? `${problems.length} problems` : "Problem"), h("ul", { class: "problems" }, problems.map(problem))],
    outcome === "duplicate" &&
      h("p", { class: "note swallowed" }, "Swallowed: an event with this contact, this name and this second in created_at was accepted before. Intercom answers as always, and keeps the first one alone."),
    fault && h("p", { class: "note fault" }, outcome === "faulted" ? "A fault was the answer: " : "A fault changed the answer: ", h("code", {}, fault)),
    event && [h("h3", {}, outcome === "accepted" || outcome === "duplicate" ? "Event" : "Event, as far as it can be read"), eventFacts(event)],
    event && (event.metadata.length > 0 || event.dropped_keys.length > 0) && [h("h3", {}, "Metadata"), metadata(event)],
    h("h3", {}, "Request"),
    facts([
      ["number", number(numbered)],
      ["received", exactTime(time)],
    ]),
  ];
}

function problem({ code, field, message, hint }) {
  return h(
    "li",
    {},
    h("p", { class: "what" }, message),
    h("p", { class: "rule" }, "rule ", h("code", {}, code), field && [" at ", h("code", {}, field)]),
    hint && h("p", { class: "mend" }, prose(hint)),
  );
}

function eventFacts({ name, created_at, contact }) {
  const isSeconds = Number.isInteger(created_at);
  return facts([
    ["name", name ?? missing()],
    [contact?.kind ?? "contact", contact?.value ?? missing()],
    ["created_at", isSeconds ? [date(created_at), h("span", { class: "kind" }, String(created_at))] : created_at === null ? missing() : JSON.stringify(created_at)],
  ]);
}

function metadata({ metadata: pairs, dropped_keys }) {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([key, value]) => [h("dt", {}, key), h("dd", {}, shown(key, value), h("span", { class: "kind" }, kindOf(key, value)))]),
    dropped_keys.map((key) => [h("dt", { class: "lost" }, key), h("dd", { class: "lost" }, h("span", { class: "flag dropped" }, "dropped in silence"))]),
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
  const legible = text === "" ? null : pretty(text.slice(0, SHOWN + 1).length > SHOWN ? "" : text);
  const choice = legible && h("span", { class: "choice", role: "group", "aria-label": "Form of the body" });
  const choose = (isPretty) => {
    block.replaceChildren(...(isPretty ? legible.map((node) => (node instanceof Node ? node.cloneNode(true) : node)) : [text]));
    [...choice.children].forEach((button, index) => button.setAttribute("aria-pressed", isPretty === (index === 0)));
  };
  choice?.append(h("button", { onclick: () => choose(true) }, "Pretty"), h("button", { onclick: () => choose(false) }, "Raw"));
  let more = null;
  if (legible) {
    choose(true);
  } else if (text.length > SHOWN) {
    block.append(text.slice(0, SHOWN), "…");
    more = h("button", { class: "more", onclick: () => {
      block.replaceChildren(text);
      more.remove();
    } }, `Show all ${number(text.length)} characters`);
  } else {
    block.append(text);
  }
  return [
    h("div", { class: "wire-head" }, h("h3", {}, title), h("code", {}, line), text !== "" && h("span", { class: "tools" }, choice, copyButton(`Copy the body of the ${title.toLowerCase()} as it was`, text))),
    headers.length > 0 && h("details", { class: "headers" }, h("summary", {}, counted(headers.length, "header")), facts(headers)),
    text === "" ? h("p", { class: "muted" }, "no body") : [block, more],
  ];
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
}

function missing() {
  return h("span", { class: "muted" }, "not there");
}
