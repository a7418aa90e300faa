// The accepted event names with their keys, and warnings about differing values.

import { get } from "./admin.js";
import { byId, untrusted, h, prose } from "./dom.js";
import { counted, number, period } from "./format.js";

/** The shortest interval between two loads, in milliseconds. */
const LOAD_INTERVAL = 2000;

export class Catalogue {
  #panel = byId("panel-catalogue");
  #showEvents;
  #visible = false;
  #loadedAt = 0;
  /** The number of accepted events that the panel shows. */
  #accepted = null;
  #loading = false;

  /** Calls `showEvents` with the name of the button that a person presses. */
  constructor(showEvents) {
    this.#showEvents = showEvents;
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#load();
  }

  begin() {
    this.#accepted = null;
  }

  update({ counts }) {
    const stale = this.#accepted !== counts.accepted && performance.now() - this.#loadedAt > LOAD_INTERVAL;
    if (this.#visible && stale) this.#load(counts.accepted);
  }

  async #load(accepted = null) {
    if (this.#loading) return;
    this.#loading = true;
    this.#loadedAt = performance.now();
    try {
      const catalogue = await get("/catalogue");
      this.#accepted = accepted;
      this.#draw(catalogue);
    } catch {
      // The connection status reports this, and the panel keeps its content.
    } finally {
      this.#loading = false;
    }
  }

  #draw({ events, names, left_out: leftOut, never_sent: neverSent = [] }) {
    const isWarned = ({ warnings }) => warnings.length > 0;
    const warned = names.filter(isWarned);
    const ordered = [...warned, ...names.filter((entry) => !isWarned(entry))];
    const sheet = h(
      "div",
      { class: "sheet" },
      h("h2", {}, "Event names"),
      names.length === 0
        ? h("p", {}, "No accepted event yet. This list will show each event name with its keys and their kinds, and a warning if a key has values of several kinds.")
        : h("p", {}, `${counted(names.length, "name")} in ${counted(events, "event")}${warned.length === 0 ? ", without a warning" : ""}.`),
      leftOut > 0 && h("p", {}, `The list leaves out ${counted(leftOut, "event")} with other names.`),
      h("div", { class: "names" }, ordered.map((entry) => this.#entry(entry))),
      neverSent.length > 0 && h("h2", {}, "Never sent"),
      neverSent.length > 0 && h("p", {}, `No event arrived for ${counted(neverSent.length, "name")} of the lock:`),
      neverSent.length > 0 && h("ul", { class: "fields" }, neverSent.map((name) => h("li", {}, h("code", {}, untrusted(name))))),
    );
    this.#panel.replaceChildren(sheet);
  }

  #entry({ name, count, first, last, keys, more_keys: moreKeys, warnings }) {
    return h(
      "article",
      { class: warnings.length > 0 ? "entry warned" : "entry" },
      h("header", {}, h("h3", {}, untrusted(name)), h("span", {}, counted(count, "event")), h("span", {}, period(Date.parse(first), Date.parse(last))), h("button", { onclick: () => this.#showEvents(name) }, "Show events")),
      warnings.length > 0 && h("ul", { class: "warnings" }, warnings.map((warning) => h("li", {}, h("b", {}, "Warning: "), prose(warning)))),
      keys.length > 0 && h("ul", { class: "fields" }, keys.map((key) => field(key, count))),
      moreKeys && h("p", { class: "muted" }, "… and more keys. Use the same keys in every event, and put what differs into their values."),
    );
  }
}

/** A key with its kinds, and the number of events with it if some lack it. */
function field({ key, count, kinds, dropped }, events) {
  return h(
    "li",
    { class: kinds.length > 1 ? "differs" : null },
    h("code", {}, untrusted(key)),
    kinds.map(({ kind, count: times }) => h("span", { class: "kind-tag" }, kinds.length > 1 ? `${kind} × ${number(times)}` : kind)),
    dropped > 0 && h("span", { class: "kind-tag" }, `dropped × ${number(dropped)}`),
    count > 0 && count < events && h("span", {}, `in ${number(count)} of ${number(events)}`),
  );
}
