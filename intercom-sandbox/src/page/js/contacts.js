// The known contacts, and a form for another one.

import { get, post } from "./admin.js";
import { byId, untrusted, h } from "./dom.js";
import { counted, number } from "./format.js";

/** The most contacts in the list, which has the latest. */
const LIMIT = 200;

/** The shortest interval between two loads, in milliseconds. */
const LOAD_INTERVAL = 2000;

/** The identifiers of a contact, by their names in an event. */
const KINDS = ["user_id", "email", "id"];

export class Contacts {
  #panel = byId("panel-contacts");
  #visible = false;
  #loadedAt = 0;
  #loading = false;
  /** Whether to load once more after the present load. */
  #again = false;
  #rows = h("tbody");
  #shown = h("p", { id: "contacts-shown", class: "muted" });
  #error = h("p", { id: "contacts-error", class: "error", role: "alert" });
  #search = h("input", { id: "contacts-search", type: "search", placeholder: "Search", "aria-label": "Search contacts", autocomplete: "off", spellcheck: "false", oninput: () => this.#load() });
  #kind = h("select", { "aria-label": "Kind of identifier" }, KINDS.map((kind) => h("option", {}, kind)));
  #value = h("input", { id: "new-contact", "aria-label": "Identifier", placeholder: "42", autocomplete: "off", spellcheck: "false", onkeydown: ({ key }) => key === "Enter" && this.#create() });
  #role = h("select", { "aria-label": "Role" }, h("option", {}, "user"), h("option", {}, "lead"));

  constructor() {
    const headings = ["id", "user_id", "email", "name", "role"];
    this.#panel.append(
      h(
        "div",
        { class: "sheet" },
        h("h2", {}, "Contacts"),
        h("p", {}, "The sandbox accepts events of these contacts. It finds a lead only by its id, and refuses events of an archived contact. POST /contacts creates more contacts, as at Intercom."),
        h("div", { class: "new-contact" }, this.#kind, this.#value, this.#role, h("button", { onclick: () => this.#create() }, "Create")),
        this.#error,
        h("div", { class: "sheet-head" }, this.#shown, this.#search),
        h("div", { class: "table" }, h("table", { class: "people framed" }, h("thead", {}, h("tr", {}, headings.map((heading) => h("th", { scope: "col" }, heading)))), this.#rows)),
      ),
    );
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#load();
  }

  update() {
    if (this.#visible && performance.now() - this.#loadedAt > LOAD_INTERVAL) this.#load();
  }

  async #create() {
    const value = this.#value.value.trim();
    if (value === "") return this.#value.focus();
    this.#error.textContent = "";
    try {
      await post("/contacts", { contacts: [{ [this.#kind.value]: value, role: this.#role.value }] });
      this.#value.value = "";
      await this.#load();
    } catch (error) {
      this.#error.textContent = `Not created: ${error.message}.`;
    }
  }

  async #load() {
    this.#loadedAt = performance.now();
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    try {
      do {
        this.#again = false;
        const search = this.#search.value.trim();
        this.#draw(await get(`/contacts?limit=${LIMIT}${search === "" ? "" : `&search=${encodeURIComponent(search)}`}`), search);
      } while (this.#again);
    } catch {
      // The connection status reports this, and the panel keeps its content.
    } finally {
      this.#loading = false;
    }
  }

  #draw({ contacts, total }, search) {
    const latest = total > contacts.length ? `the latest ${number(contacts.length)} of ${counted(total, "contact")}` : counted(total, "contact");
    this.#shown.textContent = search === "" ? latest : `${latest} with “${search}”`;
    const none = h("tr", { class: "none" }, h("td", { colspan: 5 }, search === "" ? "No contact yet. The sandbox answers events with 404, unless it started with --know-everybody." : "No contact matches."));
    this.#rows.replaceChildren(...(contacts.length === 0 ? [none] : contacts.toReversed().map(row)));
  }
}

function row({ id, user_id, email, name, role, archived }) {
  const cell = (value) => h("td", {}, value === null ? h("span", { class: "muted" }, "–") : untrusted(value));
  return h("tr", {}, h("td", {}, h("code", {}, untrusted(id))), cell(user_id), cell(email), cell(name), h("td", {}, role, archived && h("span", { class: "flag dropped" }, "archived")));
}
