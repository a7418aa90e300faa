// The names that were accepted, with their keys, and what to look at where one was not always the same.

import { get } from "./admin.js";
import { byId, foreign, h, prose } from "./dom.js";
import { counted, number, period } from "./format.js";

/** How long it is good for while events come in, in milliseconds. */
const AGE = 2000;

export class Catalogue {
  #panel = byId("panel-catalogue");
  #showEvents;
  #visible = false;
  #askedAt = 0;
  /** The counts that what is shown goes by. */
  #accepted = null;
  #asking = false;

  /** Calls `showEvents` with a name whose events somebody wants to see. */
  constructor(showEvents) {
    this.#showEvents = showEvents;
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#ask();
  }

  begin() {
    this.#accepted = null;
  }

  update({ counts }) {
    const stale = this.#accepted !== counts.accepted && performance.now() - this.#askedAt > AGE;
    if (this.#visible && stale) this.#ask(counts.accepted);
  }

  async #ask(accepted = null) {
    if (this.#asking) return;
    this.#asking = true;
    this.#askedAt = performance.now();
    try {
      const catalogue = await get("/catalogue");
      this.#accepted = accepted;
      this.#draw(catalogue);
    } catch {
      // The connection tells that the sandbox is not there; what was shown stays.
    } finally {
      this.#asking = false;
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
        ? h("p", {}, "No event was accepted yet. Here will be each name, the keys that came with it and their kinds, and a warning where a key is not always sent with the same kind of value.")
        : h("p", {}, `${counted(names.length, "name")} in ${counted(events, "event")}${warned.length === 0 ? ", each always sent in the same form" : ""}.`),
      leftOut > 0 && h("p", {}, `${counted(leftOut, "event")} of further names are not shown.`),
      h("div", { class: "names" }, ordered.map((entry) => this.#entry(entry))),
      neverSent.length > 0 && h("h2", {}, "Never sent"),
      neverSent.length > 0 && h("p", {}, `${counted(neverSent.length, "name")} of the lock never came:`),
      neverSent.length > 0 && h("ul", { class: "fields" }, neverSent.map((name) => h("li", {}, h("code", {}, foreign(name))))),
    );
    this.#panel.replaceChildren(sheet);
  }

  #entry({ name, count, first, last, keys, more_keys: moreKeys, warnings }) {
    return h(
      "article",
      { class: warnings.length > 0 ? "entry warned" : "entry" },
      h("header", {}, h("h3", {}, foreign(name)), h("span", {}, counted(count, "event")), h("span", {}, period(Date.parse(first), Date.parse(last))), h("button", { onclick: () => this.#showEvents(name) }, "Show events")),
      warnings.length > 0 && h("ul", { class: "warnings" }, warnings.map((warning) => h("li", {}, h("b", {}, "Warning: "), prose(warning)))),
      keys.length > 0 && h("ul", { class: "fields" }, keys.map((key) => field(key, count))),
      moreKeys && h("p", { class: "muted" }, "… and further keys: a key is better not made of a value."),
    );
  }
}

/** A key with its kinds, and how often it came where that is not always. */
function field({ key, count, kinds, dropped }, events) {
  return h(
    "li",
    { class: kinds.length > 1 ? "differs" : null },
    h("code", {}, foreign(key)),
    kinds.map(({ kind, count: times }) => h("span", { class: "kind-tag" }, kinds.length > 1 ? `${kind} × ${number(times)}` : kind)),
    dropped > 0 && h("span", { class: "kind-tag" }, `dropped × ${number(dropped)}`),
    count > 0 && count < events && h("span", {}, `in ${number(count)} of ${number(events)}`),
  );
}
