// Which records are shown: by name, by contact, by outcome.

import { byId, h } from "./dom.js";
import { number, OUTCOMES } from "./format.js";

export class Filter {
  #name = "";
  #contact = "";
  /** None stands for all. */
  #outcomes = new Set();
  #chips = new Map();
  #changed;

  constructor(changed) {
    this.#changed = changed;
    this.nameField = byId("filter-name");
    this.contactField = byId("filter-contact");
    for (const field of [this.nameField, this.contactField]) {
      field.addEventListener("input", () => this.#read());
    }
    byId("filter-reset").addEventListener("click", () => {
      this.only("");
      // The button is gone, and with it the focus would be.
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

  get isSet() {
    return this.#name !== "" || this.#contact !== "" || this.#outcomes.size > 0;
  }

  /** Those that are shown: the list itself where all are. */
  apply(records) {
    return this.isSet ? records.filter((record) => this.matches(record)) : records;
  }

  matches(record) {
    return (
      (this.#outcomes.size === 0 || this.#outcomes.has(record.outcome)) &&
      record.nameKey.includes(this.#name) &&
      record.contactKey.includes(this.#contact)
    );
  }

  /** Shows the events of one name. */
  only(name) {
    this.#outcomes.clear();
    this.nameField.value = name;
    this.contactField.value = "";
    this.#read();
  }

  /** Writes how many there were of each outcome. */
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
    this.#name = this.nameField.value.trim().toLowerCase();
    this.#contact = this.contactField.value.trim().toLowerCase();
    for (const [id, { chip }] of this.#chips) {
      chip.setAttribute("aria-pressed", this.#outcomes.has(id));
    }
    this.#changed();
  }
}
