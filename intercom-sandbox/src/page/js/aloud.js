// What is said aloud to somebody who does not see the page: what they asked for at once, and what comes in
// now and then, since it may come without end.

import { counted, number } from "./format.js";

/** How often what comes in is told at most, in milliseconds. */
const EVERY = 10_000;

/** How long somebody who types is waited for, in milliseconds. */
const TYPING_PAUSE = 600;

export class Aloud {
  #place;
  #counts = { requests: 0 };
  #toldAt = -EVERY;
  #telling = null;
  #answering = null;

  constructor(place) {
    this.#place = place;
  }

  /** How many there are now. */
  tell(counts) {
    if (counts.requests === this.#counts.requests) return;
    this.#counts = counts;
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      this.#toldAt = performance.now();
      const { requests, refused } = this.#counts;
      this.#place.textContent = `${counted(requests, "request")}${refused > 0 ? `, ${number(refused)} refused` : ""}`;
    }, this.#toldAt + EVERY - performance.now());
  }

  /** What came of something that was done by hand: the last of it, where more is done right after. */
  answer(text) {
    clearTimeout(this.#answering);
    this.#answering = setTimeout(() => (this.#place.textContent = text), TYPING_PAUSE);
  }
}
