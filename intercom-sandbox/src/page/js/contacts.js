// The contacts that are known, and a form for another one.

import { get, post } from "./admin.js";
import { byId, foreign, h } from "./dom.js";
import { counted, number } from "./format.js";

/** How many are shown: the latest. */
const LIMIT = 200;

/** How long what is shown is good for while requests come in, in milliseconds. */
const AGE = 2000;

/** What names a contact, as events call it. */
const KINDS = ["user_id", "email", "id"];

export class Contacts {
  #panel = byId("panel-contacts");
  #visible = false;
  #askedAt = 0;
  #asking = false;
  /** Whether it is to be asked once more, when what was asked is answered. */
  #again = false;
  #rows = h("tbody");
  #shown = h("p", { id: "contacts-shown", class: "muted" });
  #error = h("p", { id: "contacts-error", class: "error", role: "alert" });
  #search = h("input", { id: "contacts-search", type: "search", placeholder: "Search", "aria-label": "Search contacts", autocomplete: "off", spellcheck: "false", oninput: () => this.#ask() });
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
        h("p", {}, "The sandbox accepts events for these contacts. A lead takes events by its id alone, and an archived contact takes none. POST /contacts creates more, as at Intercom."),
        h("div", { class: "new-contact" }, this.#kind, this.#value, this.#role, h("button", { onclick: () => this.#create() }, "Create")),
        this.#error,
        h("div", { class: "sheet-head" }, this.#shown, this.#search),
        h("div", { class: "table" }, h("table", { class: "people framed" }, h("thead", {}, h("tr", {}, headings.map((heading) => h("th", { scope: "col" }, heading)))), this.#rows)),
      ),
    );
  }

  show(visible) {
    this.#visible = visible;
    if (visible) this.#ask();
  }

  update() {
    if (this.#visible && performance.now() - this.#askedAt > AGE) this.#ask();
  }

  async #create() {
    const value = this.#value.value.trim();
    if (value === "") return this.#value.focus();
    this.#error.textContent = "";
    try {
      await post("/contacts", { contacts: [{ [this.#kind.value]: value, role: this.#role.value }] });
      this.#value.value = "";
      await this.#ask();
    } catch (error) {
      this.#error.textContent = `Not created: ${error.message}.`;
    }
  }

  async #ask() {
    this.#askedAt = performance.now();
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        const search = this.#search.value.trim();
        this.#draw(await get(`/contacts?limit=${LIMIT}${search === "" ? "" : `&search=${encodeURIComponent(search)}`}`), search);
      } while (this.#again);
    } catch {
      // The connection shows that the sandbox is not there; what was shown stays.
    } finally {
      this.#asking = false;
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
  const cell = (value) => h("td", {}, value === null ? h("span", { class: "muted" }, "–") : foreign(value));
  return h("tr", {}, h("td", {}, h("code", {}, foreign(id))), cell(user_id), cell(email), cell(name), h("td", {}, role, archived && h("span", { class: "flag dropped" }, "archived")));
}
