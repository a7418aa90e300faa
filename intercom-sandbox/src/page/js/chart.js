// Requests per second by outcome, for the last three minutes.
//
// The chart adds the differences of the sandbox's counts, because the feed may skip records. Only
// requests from before the page come from their records, each at its own time.

import { svg } from "./dom.js";
import { counted, LABELS, number, OUTCOMES, short, shortTime } from "./format.js";
import { oncePerFrame } from "./frame.js";

const SECONDS = 180;
const LEFT = 34;
const TOP = 4;
const BOTTOM = 15;
const MIN_SCALE = 4;

export class Chart {
  #picture;
  #readout;
  /** The requests of each second, by outcome. */
  #seconds = new Map();
  #now = 0;
  /** The last counts in the chart; `null` until the first update after a connection. */
  #counts = null;
  /** The number of the last request in the chart. */
  #charted = 0;
  /** The number of the last request that the chart adds by its own time. */
  #history = 0;
  #pointed = null;
  #drawSoon = oncePerFrame(() => this.#draw());

  constructor(picture, readout) {
    this.#picture = picture;
    this.#readout = readout;
    picture.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    picture.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.#drawSoon()).observe(picture);
  }

  /** Restarts the counts, and keeps the bars. */
  begin() {
    this.#counts = null;
    this.#charted = 0;
  }

  /** Adds the requests since the last update by their own times, because it may be long ago. */
  connected() {
    this.#counts = null;
  }

  update({ now, counts, records }) {
    this.#now = Math.floor(now / 1000);
    if (this.#counts === null) {
      this.#history = counts.requests;
    } else {
      for (const { id } of OUTCOMES) this.#add(this.#now, id, counts[id] - this.#counts[id]);
    }
    for (const record of records) {
      if (record.number > this.#charted && record.number <= this.#history) {
        this.#add(Math.floor(record.time / 1000), record.outcome, 1);
        this.#charted = record.number;
      }
    }
    if (this.#counts !== null && counts.requests > this.#history && this.#charted >= this.#history) this.#charted = counts.requests;
    this.#counts = counts;
    for (const second of this.#seconds.keys()) {
      if (second <= this.#now - SECONDS) this.#seconds.delete(second);
    }
    this.#drawSoon();
  }

  #add(second, outcome, count) {
    if (count <= 0 || second <= this.#now - SECONDS) return;
    let bar = this.#seconds.get(second);
    if (!bar) {
      bar = Object.fromEntries(OUTCOMES.map(({ id }) => [id, 0]));
      this.#seconds.set(second, bar);
    }
    bar[outcome] += count;
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#picture;
    if (width === 0) return;
    const floor = height - BOTTOM;
    const each = (width - LEFT) / SECONDS;
    const peak = Math.max(0, ...[...this.#seconds.values()].map(total));
    const scale = niceAbove(Math.max(peak, MIN_SCALE));
    const y = (value) => floor - (value / scale) * (floor - TOP);

    const paths = Object.fromEntries(OUTCOMES.map(({ id }) => [id, ""]));
    for (const [second, bar] of this.#seconds) {
      const x = this.#x(second, each);
      let below = 0;
      for (const { id } of OUTCOMES) {
        if (bar[id] === 0) continue;
        const [bottom, top] = [y(below), y(below + bar[id])];
        paths[id] += `M${round(x)} ${round(bottom)}V${round(top)}h${round(Math.max(each - 1, 1))}V${round(bottom)}z`;
        below += bar[id];
      }
    }
    const parts = [scale, scale / 2, 0].flatMap((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: width, y1: Math.round(y(value)) + 0.5, y2: Math.round(y(value)) + 0.5 }),
      value === scale / 2 ? null : svg("text", { class: "axis", x: LEFT - 7, y: y(value) + (value === 0 ? 2 : 6), "text-anchor": "end" }, short(value)),
    ]);
    for (const minutes of [3, 2, 1, 0]) {
      const x = LEFT + (width - LEFT) * (1 - minutes / 3);
      const anchor = minutes === 3 ? "start" : minutes === 0 ? "end" : "middle";
      parts.push(svg("text", { class: "axis", x, y: height - 2, "text-anchor": anchor }, minutes === 0 ? "now" : `${minutes} min ago`));
    }
    if (this.#pointed !== null) {
      parts.push(svg("rect", { class: "cursor", x: this.#x(this.#pointed, each), y: TOP, width: Math.max(each, 2), height: floor - TOP }));
    }
    parts.push(...OUTCOMES.map(({ id }) => svg("path", { "data-outcome": id, d: paths[id] })));
    this.#picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#picture.replaceChildren(...parts.filter(Boolean));
    this.#showReadout(peak);
  }

  #x(second, each) {
    return LEFT + (second - (this.#now - SECONDS + 1)) * each;
  }

  #point(x) {
    const each = (this.#picture.clientWidth - LEFT) / SECONDS;
    this.#pointed = x === null || x < LEFT ? null : this.#now - SECONDS + 1 + Math.floor((x - LEFT) / each);
    this.#drawSoon();
  }

  #showReadout(peak) {
    if (this.#pointed === null) {
      this.#readout.textContent = peak === 0 ? "" : `peak ${number(peak)}`;
    } else {
      const bar = this.#seconds.get(this.#pointed);
      const parts = OUTCOMES.filter(({ id }) => bar?.[id] > 0).map(({ id }) => `${number(bar[id])} ${LABELS[id].toLowerCase()}`);
      this.#readout.textContent = `${shortTime(this.#pointed * 1000)} · ${parts.join(", ") || "none"}`;
    }
    const all = [...this.#seconds.values()].reduce((sum, bar) => sum + total(bar), 0);
    this.#picture.setAttribute("aria-label", `${counted(all, "request")} in the last three minutes, at most ${number(peak)} in a second`);
  }
}

function total(bar) {
  return OUTCOMES.reduce((sum, { id }) => sum + bar[id], 0);
}

const round = (value) => Math.round(value * 100) / 100;

/** The next of 1, 2, 4, 5, 10, 20, 40, 50 … */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 5, 10].find((step) => step * power >= value);
}
