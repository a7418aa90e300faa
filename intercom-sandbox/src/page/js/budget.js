// The requests left in the rate limit's window, and when the next window begins.

import { h } from "./dom.js";
import { number } from "./format.js";

/** The part of the limit below which the meter warns. */
const LOW_PART = 0.2;

export class Budget {
  #place;
  #number = h("p", { class: "number" });
  #fill = h("div", { class: "fill" });
  #track = h("div", { class: "track", role: "meter", "aria-label": "Requests left in this window", "aria-valuemin": 0 }, this.#fill);
  #reset = h("p", { class: "reset" });

  constructor(place) {
    this.#place = place;
    place.append(h("p", { class: "title" }, "Rate-limit budget"), this.#number, this.#track, this.#reset);
  }

  /** Marks the numbers as old. */
  disconnected() {
    this.#reset.textContent = "last known value";
  }

  update({ now, rate_limit: budget }) {
    this.#track.hidden = budget === null;
    if (budget === null) {
      this.#number.replaceChildren(h("small", {}, "no rate limit"));
      this.#reset.textContent = "";
      this.#place.dataset.level = "";
      return;
    }
    const { limit, remaining, reset } = budget;
    this.#place.dataset.level = remaining === 0 ? "spent" : remaining < limit * LOW_PART ? "low" : "";
    this.#number.replaceChildren(number(remaining), h("small", {}, ` of ${number(limit)} left`));
    this.#fill.style.width = `${limit === 0 ? 0 : (100 * remaining) / limit}%`;
    this.#track.setAttribute("aria-valuemax", limit);
    this.#track.setAttribute("aria-valuenow", remaining);
    const seconds = Math.max(0, Math.ceil(reset - now / 1000));
    this.#reset.textContent = remaining === limit ? "per window of 10 s" : `resets in ${seconds} s`;
  }
}
