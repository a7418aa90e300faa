// Announces to a screen reader: results of an action at once, and new requests at intervals.

import { counted, number } from "./format.js";

/** The shortest interval between announcements of new requests, in milliseconds. */
const EVERY = 10_000;

/** The pause in typing after which a result is announced, in milliseconds. */
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

  /** Announces the present counts. */
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

  /** Announces the result of an action: only the last one of several in a row. */
  answer(text) {
    clearTimeout(this.#answering);
    this.#answering = setTimeout(() => (this.#place.textContent = text), TYPING_PAUSE);
  }
}
