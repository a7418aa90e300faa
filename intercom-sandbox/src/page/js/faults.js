// The faults: switches for the common ones, a field for all others, and a list of the active
// faults.

import { get, post, remove } from "./admin.js";
import { byId, untrusted, h } from "./dom.js";
import { counted, number } from "./format.js";
import { DURATIONS, SWITCHES } from "./switches.js";

export class Faults {
  #panel = byId("panel-faults");
  #badge = byId("fault-count");
  #unit = byId("fault-count-unit");
  #visible = false;
  #active = h("tbody");
  #error = h("p", { class: "error", role: "alert" });
  #removeAll = h("button", { onclick: () => this.#act(this.#head, () => remove("/faults")) }, "Remove all");
  #head = h("div", { class: "sheet-head" }, h("h2", {}, "Active faults"), this.#removeAll);
  #switches = new Map();
  #duration = DURATIONS[0];
  #durationFields = new Map();
  /** The active faults as last drawn, to skip the drawing of an unchanged list. */
  #drawn = "";
  #loading = false;
  /** The number of loads so far. */
  #loads = 0;
  /** The sandbox's time. */
  #now = 0;

  constructor() {
    for (const one of SWITCHES) this.#switches.set(one.id, this.#makeSwitch(one));
    this.#panel.append(
      h(
        "div",
        { class: "sheet" },
        h("h2", {}, "Faults"),
        h("p", {}, "A switch affects later events. One that says “every request” affects all other requests too."),
        this.#makeDuration(),
        h("div", { class: "switches" }, [...this.#switches.values()].map(({ element }) => element)),
        h("h2", {}, "Custom fault"),
        this.#makeCustom(),
        this.#head,
        h(
          "table",
          { class: "active-faults framed" },
          h("thead", {}, h("tr", {}, h("th", {}, "Fault"), h("th", { class: "number", title: "Requests that matched the fault" }, "Matched"), h("th", { class: "number", title: "Requests that the fault changed" }, "Applied"), h("th", {}, "Remaining"), h("th", {}, h("span", { class: "visually-hidden" }, "Remove")))),
          this.#active,
        ),
      ),
    );
    this.#draw([]);
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#load();
  }

  /** Takes the number of active faults from an update. Loads the list only while it is visible. */
  update({ faults, now }) {
    this.#now = now;
    this.#count(faults);
    if (this.#visible) this.#load();
  }

  #count(faults) {
    this.#badge.textContent = number(faults);
    this.#badge.hidden = faults === 0;
    this.#unit.hidden = faults === 0;
  }

  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    try {
      await this.#show();
    } catch {
      // The connection status reports this, and the panel keeps its content.
    } finally {
      this.#loading = false;
    }
  }

  /** Loads and shows the active faults, unless a later load began meanwhile. */
  async #show() {
    this.#loads += 1;
    const load = this.#loads;
    const { faults } = await get("/faults");
    if (load !== this.#loads) return;
    this.#draw(faults);
    this.#count(faults.length);
  }

  /** Runs an action on the faults, and shows the active faults, or the error at `place`. */
  async #act(place, action) {
    this.#error.textContent = "";
    const say = (what, error) => {
      place.append(this.#error);
      this.#error.textContent = `${what}: ${error.message}.`;
    };
    try {
      await action();
    } catch (error) {
      return say("Not done", error);
    }
    await this.#show().catch((error) => say("Done, but the list of faults did not load", error));
  }

  #draw(faults) {
    const known = JSON.stringify(faults);
    if (known === this.#drawn && faults.every(({ ends_at: end }) => end === null)) return;
    this.#drawn = known;
    for (const [id, one] of this.#switches) one.show(faults.filter((fault) => belongsTo(id, fault)).map(({ fault }) => fault));
    this.#removeAll.hidden = faults.length === 0;
    const focused = document.activeElement?.closest("tr")?.dataset.fault;
    this.#active.replaceChildren(...(faults.length === 0 ? [h("tr", { class: "none" }, h("td", { colspan: 5 }, "No fault is active."))] : faults.map((fault) => this.#row(fault))));
    if (focused) this.#active.querySelector(`tr[data-fault="${focused}"] button`)?.focus();
  }

  #row({ id, fault, met, struck, left, ends_at: end }) {
    const remaining = left !== null ? counted(left, "request") : end !== null ? `${Math.max(0, Math.ceil((Date.parse(end) - this.#now) / 1000))} s` : "until removed";
    return h(
      "tr",
      { "data-fault": id },
      h("td", {}, h("code", {}, untrusted(fault))),
      h("td", { class: "number" }, number(met)),
      h("td", { class: "number" }, number(struck)),
      h("td", {}, remaining),
      h("td", {}, h("button", { "aria-label": `Remove ${fault}`, onclick: () => this.#act(this.#head, () => remove(`/faults/${id}`)) }, "Remove")),
    );
  }

  #makeSwitch(one) {
    const fields = new Map();
    for (const [name, parameter] of Object.entries(one.parameters ?? {})) fields.set(name, makeField(parameter));
    const title = h("span", { class: "settings" }, one.title.split(/\{(\w+)\}/).map((part, index) => (index % 2 === 1 ? fields.get(part) : part.trim() && h("span", {}, part))));
    // The active fault may differ from the one in the fields.
    const active = h("span", { class: "active", hidden: true });
    const name = one.title.replace(/\{(\w+)\}/g, (_, parameter) => one.parameters[parameter].label.toLowerCase());
    const button = h("button", { role: "switch", id: `switch-${one.id}`, "aria-checked": "false", "aria-label": name, onclick: () => this.#turn(one, fields) });
    const element = h("div", { class: "switch" }, h("h3", {}, title, active), button, h("p", {}, one.about));
    const show = (faults) => {
      const on = faults.length > 0;
      element.classList.toggle("on", on);
      button.setAttribute("aria-checked", on);
      button.setAttribute("aria-label", on ? faults.join(", ") : name);
      title.hidden = on;
      active.hidden = !on;
      active.replaceChildren(...faults.map((fault) => h("code", {}, untrusted(fault))));
    };
    return { button, element, show };
  }

  #turn(one, fields) {
    const { button, element } = this.#switches.get(one.id);
    if (button.getAttribute("aria-checked") === "true") {
      return this.#act(element, async () => {
        const { faults } = await get("/faults");
        await Promise.all(faults.filter((fault) => belongsTo(one.id, fault)).map(({ id }) => remove(`/faults/${id}`)));
      });
    }
    const values = Object.fromEntries([...fields].map(([name, field]) => [name, field.value]));
    const duration = this.#duration.id === "next" && one.isGlobal ? DURATIONS[0] : this.#duration;
    return this.#act(element, () => post("/faults", { fault: one.effect(values) + duration.clause(this.#durationFields.get(duration.id)?.value) }));
  }

  #makeDuration() {
    const choices = DURATIONS.map((duration) => {
      const radio = h("input", { type: "radio", name: "duration", value: duration.id, onchange: () => (this.#duration = duration) });
      radio.checked = duration === this.#duration;
      const field = duration.unit ? h("input", { type: "number", value: duration.value, min: duration.min, "aria-label": `${duration.label} how many ${duration.unit}` }) : null;
      this.#durationFields.set(duration.id, field);
      return h("label", {}, radio, duration.label, field, duration.unit);
    });
    return h("div", { class: "duration", role: "radiogroup", "aria-label": "How long a fault lasts" }, h("span", {}, "It lasts"), choices);
  }

  #makeCustom() {
    const field = h("input", { id: "custom-fault", "aria-label": "Custom fault", placeholder: "503 after acceptance for next 1", spellcheck: "false", autocomplete: "off" });
    const custom = h("div", { class: "custom" }, field, h("button", { onclick: () => add() }, "Add"));
    const place = h("div", { class: "custom-place" }, custom);
    const add = () => field.value.trim() !== "" && this.#act(place, () => post("/faults", { fault: field.value.trim() }).then(() => (field.value = "")));
    field.addEventListener("keydown", (event) => event.key === "Enter" && add());
    return [
      h("p", {}, "For example ", h("code", {}, "skew +30s"), ", ", h("code", {}, "delay 500ms for 10% on contacts"), ", ", h("code", {}, "without request id"), " or ", h("code", {}, "reset on event invoice_paid"), "."),
      place,
    ];
  }
}

/** Whether a fault is one of a switch, whose faults never have a scope. */
function belongsTo(id, { fault, effect }) {
  return SWITCHES.find((one) => one.id === id).matches.test(effect) && !/ on (events|event|contacts|everything)\b/.test(fault);
}

function makeField({ label, type, options, ...attributes }) {
  if (type === "select") {
    return h("select", { "aria-label": label }, options.map((option) => h("option", {}, option)));
  }
  return h("input", { type, "aria-label": label, ...attributes });
}
