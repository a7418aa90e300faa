// A row of the list: a summary, and details while it is open.

import { makeDetail } from "./detail.js";
import { untrusted, h, prose } from "./dom.js";
import { clockTime, counted, exactTime, LABELS } from "./format.js";
import { shown } from "./values.js";

/** The most values that fit in a summary. */
const MAX_PAIRS = 8;

/** A row, closed. */
export function makeRow(record, toggle) {
  const button = h("button", { class: "toggle", "aria-expanded": "false", "aria-label": "Details", tabindex: -1 });
  const { event, outcome } = record;
  const summary = h(
    "div",
    { class: "summary", onclick: (click) => isToggle(click) && toggle() },
    button,
    h("time", { class: "time", title: exactTime(record.time) }, clockTime(record.time)),
    h("span", { class: "outcome" }, h("span", { class: "badge" }, LABELS[outcome])),
    h("span", { class: "name", title: record.title }, nameOf(record)),
    h("span", { class: "contact" }, contactOf(event?.contact)),
    h("span", { class: "pairs" }, contentOf(record)),
    h("span", { class: "status", title: record.status ? null : "no answer" }, record.status ?? "–"),
    record.tall && h("span", { class: "hint" }, prose(record.problems.find((problem) => problem.hint).hint)),
  );
  const element = h(
    "article",
    {
      class: record.tall ? "row tall" : "row",
      "data-outcome": outcome,
      "data-number": record.number,
      "aria-label": [LABELS[outcome], record.title, event?.contact?.value, record.problems[0]?.message].filter(Boolean).join(", "),
      onkeydown: (key) => {
        if (key.key === "Enter" && key.target === element) toggle();
      },
    },
    summary,
  );
  return {
    element,
    summary,
    record,
    detail: null,
    isOpen: false,
    setOpen(open) {
      this.isOpen = open;
      element.classList.toggle("open", open);
      button.setAttribute("aria-expanded", open);
      if (open) {
        this.detail ??= makeDetail(record);
        element.append(this.detail);
      } else {
        this.detail?.remove();
      }
    },
  };
}

/** Whether a click opens the row: one on a link, or one that ends a selection of text, does not. */
function isToggle(click) {
  return !click.target.closest("a") && getSelection().isCollapsed;
}

function nameOf({ event, method, path }) {
  return event?.name ? untrusted(event.name) : [h("span", { class: "method" }, method, " "), untrusted(path)];
}

function contactOf(contact) {
  if (!contact) return null;
  const kind = contact.kind === "email" ? null : h("span", { class: "kind" }, contact.kind, " ");
  return [kind, h("span", { title: `${contact.kind} ${contact.value}` }, untrusted(contact.value))];
}

function contentOf({ event, fault, outcome, problems, query, warnings }) {
  const content = [];
  if (fault) content.push(h("span", { class: "flag fault" }, "fault: ", untrusted(fault)));
  if (outcome === "duplicate") content.push(h("span", { class: "flag ignored" }, "ignored as a duplicate"));
  if (event?.sent_name !== undefined) content.push(h("span", { class: "flag folded", title: "Intercom turns . and $ in a name into -" }, "sent as ", untrusted(event.sent_name)));
  for (const warning of warnings) content.push(h("span", { class: "flag warning", title: warning }, "warning"));
  if (event?.dropped_keys.length > 0) {
    content.push(h("span", { class: "flag dropped" }, `${counted(event.dropped_keys.length, "key")} dropped`));
  }
  if (problems.length > 0) {
    const [{ field, message }] = problems;
    // Some messages begin with the field.
    const place = field && !message.startsWith(field) && [h("code", {}, untrusted(field)), " "];
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    content.push(h("span", { class: "problem", title: message }, place, untrusted(message), more));
    return content;
  }
  if (!event && query) content.push(h("span", { class: "muted" }, untrusted(`?${query}`)));
  for (const [key, value] of event?.metadata.slice(0, MAX_PAIRS) ?? []) {
    content.push(" ", h("span", { class: "pair" }, h("span", { class: "key" }, untrusted(key)), " ", shown(key, value)));
  }
  return content;
}
