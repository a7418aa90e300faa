// The views. One view is visible.

import { byId } from "./dom.js";

const VIEWS = ["events", "contacts", "catalogue", "faults"];

export class Tabs {
  current = null;
  #shown;

  /** Calls `shown` with each view that becomes visible. */
  constructor(shown) {
    this.#shown = shown;
    for (const view of VIEWS) {
      const tab = byId(`tab-${view}`);
      tab.addEventListener("click", () => this.show(view));
      tab.addEventListener("keydown", (event) => this.#turn(event));
    }
    addEventListener("hashchange", () => this.#fromAddress());
    this.#fromAddress();
  }

  show(view) {
    if (view === this.current) return;
    this.current = view;
    for (const other of VIEWS) {
      const tab = byId(`tab-${other}`);
      tab.setAttribute("aria-selected", other === view);
      tab.tabIndex = other === view ? 0 : -1;
      byId(`panel-${other}`).hidden = other !== view;
    }
    document.body.dataset.view = view;
    // The address keeps the view over a reload, or names a request.
    if (this.#fromHash() !== view) history.replaceState(null, "", view === VIEWS[0] ? location.pathname : `#${view}`);
    this.#shown(view);
  }

  /** The view at this place, from 1. */
  showAt(place) {
    this.show(VIEWS[place - 1]);
  }

  #turn(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.show(VIEWS[(VIEWS.indexOf(this.current) + by + VIEWS.length) % VIEWS.length]);
    byId(`tab-${this.current}`).focus();
  }

  #fromAddress() {
    this.show(this.#fromHash());
  }

  #fromHash() {
    const view = location.hash.slice(1);
    return VIEWS.includes(view) ? view : VIEWS[0];
  }
}
