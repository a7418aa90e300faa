// What goes wrong on request: switches for what is wanted most, a field for everything else, and the
// faults that stand, with how often each has struck.

import { get, post, remove } from "./admin.js";
import { byId, foreign, h } from "./dom.js";
import { counted, number } from "./format.js";
import { EXTENTS, SWITCHES } from "./switches.js";

export class Faults {
  #panel = byId("panel-faults");
  #badge = byId("fault-count");
  #unit = byId("fault-count-unit");
  #visible = false;
  #standing = h("tbody");
  #error = h("p", { class: "error", role: "alert" });
  #liftAll = h("button", { onclick: () => this.#act(this.#head, () => remove("/faults")) }, "Lift all");
  #head = h("div", { class: "sheet-head" }, h("h2", {}, "Standing now"), this.#liftAll);
  #switches = new Map();
  #extent = EXTENTS[0];
  #extentFields = new Map();
  /** What stood when it was last asked, so that nothing is drawn that did not change. */
  #known = "";
  #asking = false;
  /** How often it was asked. */
  #asked = 0;
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
        this.#makeExtent(),
        h("div", { class: "switches" }, [...this.#switches.values()].map(({ element }) => element)),
        h("h2", {}, "Any other"),
        this.#makeOwn(),
        this.#head,
        h(
          "table",
          { class: "standing framed" },
          h("thead", {}, h("tr", {}, h("th", {}, "Fault"), h("th", { class: "number", title: "Requests that matched the fault" }, "Met"), h("th", { class: "number", title: "Requests that the fault changed" }, "Struck"), h("th", {}, "Left"), h("th", {}, h("span", { class: "unseen" }, "Lift")))),
          this.#standing,
        ),
      ),
    );
    this.#draw([]);
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#ask();
  }

  /** How many stand is told with every update; which ones they are is asked while they are looked at. */
  update({ faults, now }) {
    this.#now = now;
    this.#count(faults);
    if (this.#visible) this.#ask();
  }

  #count(faults) {
    this.#badge.textContent = number(faults);
    this.#badge.hidden = faults === 0;
    this.#unit.hidden = faults === 0;
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      await this.#show();
    } catch {
      // The connection tells that the sandbox is not there; what was shown stays.
    } finally {
      this.#asking = false;
    }
  }

  /** Asks which faults stand and shows it, unless it was asked again meanwhile: then this answer is an old one. */
  async #show() {
    this.#asked += 1;
    const asked = this.#asked;
    const { faults } = await get("/faults");
    if (asked !== this.#asked) return;
    this.#draw(faults);
    this.#count(faults.length);
  }

  /** Does something about the faults, and shows how they stand then, or at its place why it did not work. */
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
    if (known === this.#known && faults.every(({ ends_at: end }) => end === null)) return;
    this.#known = known;
    for (const [id, one] of this.#switches) one.show(faults.filter((fault) => standsFor(id, fault)).map(({ fault }) => fault));
    this.#liftAll.hidden = faults.length === 0;
    const focused = document.activeElement?.closest("tr")?.dataset.fault;
    this.#standing.replaceChildren(...(faults.length === 0 ? [h("tr", { class: "none" }, h("td", { colspan: 5 }, "No fault is active."))] : faults.map((fault) => this.#row(fault))));
    if (focused) this.#standing.querySelector(`tr[data-fault="${focused}"] button`)?.focus();
  }

  #row({ id, fault, met, struck, left, ends_at: end }) {
    const remaining = left !== null ? counted(left, "request") : end !== null ? `${Math.max(0, Math.ceil((Date.parse(end) - this.#now) / 1000))} s` : "until lifted";
    return h(
      "tr",
      { "data-fault": id },
      h("td", {}, h("code", {}, foreign(fault))),
      h("td", { class: "number" }, number(met)),
      h("td", { class: "number" }, number(struck)),
      h("td", {}, remaining),
      h("td", {}, h("button", { "aria-label": `Lift ${fault}`, onclick: () => this.#act(this.#head, () => remove(`/faults/${id}`)) }, "Lift")),
    );
  }

  #makeSwitch(one) {
    const fields = new Map();
    for (const [name, parameter] of Object.entries(one.parameters ?? {})) fields.set(name, makeField(parameter));
    const title = h("span", { class: "wanted" }, one.title.split(/\{(\w+)\}/).map((part, index) => (index % 2 === 1 ? fields.get(part) : part.trim() && h("span", {}, part))));
    // What stands may be something else than the fields would turn on.
    const standing = h("span", { class: "stands", hidden: true });
    const name = one.title.replace(/\{(\w+)\}/g, (_, parameter) => one.parameters[parameter].label.toLowerCase());
    const button = h("button", { role: "switch", id: `switch-${one.id}`, "aria-checked": "false", "aria-label": name, onclick: () => this.#turn(one, fields) });
    const element = h("div", { class: "switch" }, h("h3", {}, title, standing), button, h("p", {}, one.about));
    const show = (faults) => {
      const on = faults.length > 0;
      element.classList.toggle("on", on);
      button.setAttribute("aria-checked", on);
      button.setAttribute("aria-label", on ? faults.join(", ") : name);
      title.hidden = on;
      standing.hidden = !on;
      standing.replaceChildren(...faults.map((fault) => h("code", {}, foreign(fault))));
    };
    return { button, element, show };
  }

  #turn(one, fields) {
    const { button, element } = this.#switches.get(one.id);
    if (button.getAttribute("aria-checked") === "true") {
      return this.#act(element, async () => {
        const { faults } = await get("/faults");
        await Promise.all(faults.filter((fault) => standsFor(one.id, fault)).map(({ id }) => remove(`/faults/${id}`)));
      });
    }
    const values = Object.fromEntries([...fields].map(([name, field]) => [name, field.value]));
    const extent = this.#extent.id === "next" && one.whole ? EXTENTS[0] : this.#extent;
    return this.#act(element, () => post("/faults", { fault: one.effect(values) + extent.clause(this.#extentFields.get(extent.id)?.value) }));
  }

  #makeExtent() {
    const choices = EXTENTS.map((extent) => {
      const radio = h("input", { type: "radio", name: "extent", value: extent.id, onchange: () => (this.#extent = extent) });
      radio.checked = extent === this.#extent;
      const field = extent.unit ? h("input", { type: "number", value: extent.value, min: extent.min, "aria-label": `${extent.label} how many ${extent.unit}` }) : null;
      this.#extentFields.set(extent.id, field);
      return h("label", {}, radio, extent.label, field, extent.unit);
    });
    return h("div", { class: "extent", role: "radiogroup", "aria-label": "How long a fault lasts" }, h("span", {}, "It lasts"), choices);
  }

  #makeOwn() {
    const field = h("input", { id: "own-fault", "aria-label": "A fault", placeholder: "503 after acceptance for next 1", spellcheck: "false", autocomplete: "off" });
    const own = h("div", { class: "own" }, field, h("button", { onclick: () => add() }, "Switch on"));
    const place = h("div", { class: "own-place" }, own);
    const add = () => field.value.trim() !== "" && this.#act(place, () => post("/faults", { fault: field.value.trim() }).then(() => (field.value = "")));
    field.addEventListener("keydown", (event) => event.key === "Enter" && add());
    return [
      h("p", {}, "For example ", h("code", {}, "skew +30s"), ", ", h("code", {}, "delay 500ms for 10% on contacts"), ", ", h("code", {}, "without request id"), " or ", h("code", {}, "reset on event invoice_paid"), "."),
      place,
    ];
  }
}

/** Whether it is what a switch turns on, which is never for some requests alone. */
function standsFor(id, { fault, effect }) {
  return SWITCHES.find((one) => one.id === id).stands.test(effect) && !/ on (events|event|contacts|everything)\b/.test(fault);
}

function makeField({ label, type, options, ...attributes }) {
  if (type === "select") {
    return h("select", { "aria-label": label }, options.map((option) => h("option", {}, option)));
  }
  return h("input", { type, "aria-label": label, ...attributes });
}
