// Filters requests by name, contact, text, status and outcome.

import { byId, h } from "./dom.js";
import { number, OUTCOMES } from "./format.js";
import { textOf } from "./store.js";

/** The fields, each with the name of its part. */
const FIELDS = ["name", "contact", "text", "status"];

export class Filter {
  /** The text in each field, in lower case. */
  #query = Object.fromEntries(FIELDS.map((field) => [field, ""]));
  #fields = Object.fromEntries(FIELDS.map((field) => [field, byId(`filter-${field}`)]));
  /** The selected outcomes; an empty set selects all. */
  #outcomes = new Set();
  #chips = new Map();
  #changed;

  constructor(changed) {
    this.#changed = changed;
    for (const field of Object.values(this.#fields)) {
      field.addEventListener("input", () => this.#read());
    }
    byId("filter-reset").addEventListener("click", () => {
      this.only("");
      // The button disappears, and would lose the focus.
      this.nameField.focus();
    });
    for (const { id, label, meaning } of OUTCOMES) {
      const count = h("b", {}, "0");
      const chip = h(
        "button",
        { class: "chip", "data-outcome": id, "data-none": true, "aria-pressed": "false", title: meaning, onclick: () => this.#toggle(id) },
        label,
        count,
      );
      this.#chips.set(id, { chip, count });
    }
    byId("filter-outcomes").append(...[...this.#chips.values()].map(({ chip }) => chip));
  }

  get nameField() {
    return this.#fields.name;
  }

  get isSet() {
    return this.#outcomes.size > 0 || Object.values(this.#query).some((text) => text !== "");
  }

  /** The matching records: the list itself without a filter. */
  apply(records) {
    return this.isSet ? records.filter((record) => this.matches(record)) : records;
  }

  matches(record) {
    const { name, contact, text, status } = this.#query;
    return (
      (this.#outcomes.size === 0 || this.#outcomes.has(record.outcome)) &&
      record.nameKey.includes(name) &&
      record.contactKey.includes(contact) &&
      (status === "" || hasStatus(record, status)) &&
      (text === "" || textOf(record).includes(text))
    );
  }

  /** Shows the events of one name. */
  only(name) {
    this.#outcomes.clear();
    for (const field of Object.values(this.#fields)) field.value = "";
    this.nameField.value = name;
    this.#read();
  }

  /** Shows the number of requests of each outcome. */
  count(counts) {
    for (const [id, { chip, count }] of this.#chips) {
      count.textContent = number(counts[id]);
      chip.toggleAttribute("data-none", counts[id] === 0);
    }
  }

  #toggle(id) {
    if (!this.#outcomes.delete(id)) this.#outcomes.add(id);
    this.#read();
  }

  #read() {
    for (const [name, field] of Object.entries(this.#fields)) this.#query[name] = field.value.trim().toLowerCase();
    for (const [id, { chip }] of this.#chips) {
      chip.setAttribute("aria-pressed", this.#outcomes.has(id));
    }
    this.#changed();
  }
}

/** Whether a status is `404`, begins with `4`, is one of `4xx`, or is `none`. */
function hasStatus({ status }, query) {
  return (status === null ? "none" : String(status)).startsWith(query.replace(/x+$/, ""));
}
