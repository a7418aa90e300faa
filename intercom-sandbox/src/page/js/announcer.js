// Announces to a screen reader: results of an action at once, and new requests at intervals.

import { counted, number } from "./format.js";

/** The shortest interval between announcements of new requests, in milliseconds. */
const REQUESTS_INTERVAL = 10_000;

/** The pause in typing before the announcement of a result, in milliseconds. */
const TYPING_PAUSE = 600;

export class Announcer {
  #place;
  #counts = { requests: 0 };
  #announcedAt = -REQUESTS_INTERVAL;
  #requestsTimer = null;
  #resultTimer = null;

  constructor(place) {
    this.#place = place;
  }

  /** Announces the latest counts, after the interval. */
  announceRequests(counts) {
    if (counts.requests === this.#counts.requests) return;
    this.#counts = counts;
    this.#requestsTimer ??= setTimeout(() => {
      this.#requestsTimer = null;
      this.#announcedAt = performance.now();
      const { requests, refused } = this.#counts;
      this.#place.textContent = `${counted(requests, "request")}${refused > 0 ? `, ${number(refused)} refused` : ""}`;
    }, this.#announcedAt + REQUESTS_INTERVAL - performance.now());
  }

  /** Announces the result of an action, only the last one of several in a row. */
  announceResult(text) {
    clearTimeout(this.#resultTimer);
    this.#resultTimer = setTimeout(() => (this.#place.textContent = text), TYPING_PAUSE);
  }
}
