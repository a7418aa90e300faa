// The list, newest first. Only the rows in view are elements: ten thousand records cost as much as thirty.
//
// Where it is scrolled, or something is open, what is being read stays where it is while more arrives above.
// While a button of the mouse is down nothing moves, so that a click meets the row it was aimed at.

import { number } from "./format.js";
import { oncePerFrame } from "./frame.js";
import { makeRow } from "./row.js";

/** How many rows beyond the view are made on either side. */
const SPARE = 6;

/** What an open row is taken to need until it was measured. */
const GUESS = 320;

export class List {
  #scroller;
  #canvas;
  #newest;
  #records = [];
  /** Where each row begins; one more, for the end. */
  #tops = new Float64Array(1);
  /** The rows that are elements, by number. */
  #rows = new Map();
  /** How high the open part of each open row is, by number. */
  #open = new Map();
  /** How high each row with a hint is, by number, as far as it was measured. */
  #tall = new Map();
  /** The row that the keys are at. */
  selected = null;
  /** The latest that was seen at the top. */
  #seen = 0;
  #heights = { row: 36, tall: 58 };
  #isPressed = false;
  /** What is to be shown when the button is let go. */
  #waiting = null;
  #drawSoon = oncePerFrame(() => this.#draw());
  #sizes = new ResizeObserver((entries) => this.#measured(entries));

  constructor(scroller, canvas, newest) {
    this.#scroller = scroller;
    this.#canvas = canvas;
    this.#newest = newest;
    scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    newest.addEventListener("click", () => this.toNewest());
    canvas.addEventListener("pointerdown", ({ button }) => (this.#isPressed = button === 0));
    // After the click, which comes right behind.
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => this.#release()));
    new ResizeObserver(() => this.#resized()).observe(scroller);
  }

  /** Shows these, which are in order of arrival. */
  show(records) {
    if (this.#isPressed) {
      this.#waiting = records;
      return;
    }
    const anchor = this.#anchor();
    this.#records = records;
    for (const numbered of this.#open.keys()) {
      if (this.#position(numbered) === -1) this.#open.delete(numbered);
    }
    if (this.selected !== null && this.#position(this.selected) === -1) this.selected = null;
    this.#layout(anchor);
  }

  #release() {
    this.#isPressed = false;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting) this.show(waiting);
  }

  /** Forgets everything. */
  reset() {
    this.#release();
    this.#open.clear();
    this.#tall.clear();
    this.selected = null;
    this.#seen = 0;
    this.show([]);
    this.#scroller.scrollTop = 0;
  }

  /** Moves the keys to the next row, or the one before. */
  move(by) {
    const at = this.selected === null ? -1 : this.#position(this.selected);
    const place = Math.min(Math.max(at === -1 ? (by > 0 ? 0 : -1) : at + by, 0), this.#records.length - 1);
    if (place >= 0) this.#select(this.#at(place).number);
  }

  toNewest() {
    this.#open.clear();
    this.selected = null;
    this.#layout(null);
    this.#scroller.scrollTop = 0;
    this.#draw();
  }

  /** Closes what the keys are at where it is open, and takes the keys away from it otherwise. */
  leave() {
    if (this.selected === null) return;
    if (this.#open.has(this.selected)) {
      this.toggle(this.selected);
    } else {
      this.#rows.get(this.selected)?.element.blur();
      this.selected = null;
      this.#draw();
    }
  }

  /** Opens a row, alone, and goes to it, where it is there. */
  reveal(numbered) {
    if (this.#position(numbered) === -1) return;
    this.#open.clear();
    this.toggle(numbered);
    this.#select(numbered);
  }

  toggle(numbered) {
    const anchor = { number: numbered, offset: this.#scroller.scrollTop - this.#tops[this.#position(numbered)] };
    if (!this.#open.delete(numbered)) this.#open.set(numbered, GUESS);
    this.#layout(anchor);
  }

  #select(numbered) {
    this.selected = numbered;
    const place = this.#position(numbered);
    const [top, bottom] = [this.#tops[place], this.#tops[place + 1]];
    const view = this.#scroller;
    if (top < view.scrollTop) {
      view.scrollTop = top;
    } else if (bottom > view.scrollTop + view.clientHeight) {
      view.scrollTop = Math.min(top, bottom - view.clientHeight);
    }
    this.#draw();
    this.#rows.get(numbered)?.element.focus({ preventScroll: true });
  }

  /** The record at a place from the top. */
  #at(place) {
    return this.#records[this.#records.length - 1 - place];
  }

  /** The place from the top of a number; -1 where it is not shown. */
  #position(numbered) {
    const index = firstFrom(this.#records, numbered);
    return this.#records[index]?.number === numbered ? this.#records.length - 1 - index : -1;
  }

  /** The first row in view, where it is to stay there; `null` where the newest are being followed. */
  #anchor() {
    const { scrollTop } = this.#scroller;
    if (this.#records.length === 0 || (scrollTop < 2 && this.#open.size === 0)) return null;
    const place = this.#placeAt(scrollTop);
    return { number: this.#at(place).number, offset: scrollTop - this.#tops[place] };
  }

  #placeAt(y) {
    let [low, high] = [0, this.#records.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  #layout(anchor) {
    const count = this.#records.length;
    if (this.#tops.length < count + 1) this.#tops = new Float64Array(Math.ceil((count + 1) * 1.5));
    const { row, tall } = this.#heights;
    let top = 0;
    for (let place = 0; place < count; place += 1) {
      const record = this.#at(place);
      this.#tops[place] = top;
      const open = this.#open.size > 0 ? this.#open.get(record.number) : undefined;
      top += open !== undefined ? row + open : record.tall ? this.#tall.get(record.number) ?? tall : row;
    }
    this.#tops[count] = top;
    if (anchor && count > 0) {
      // Where it is gone, what came next before it stands in.
      const index = Math.min(firstFrom(this.#records, anchor.number), count - 1);
      const scrollTop = this.#tops[count - 1 - index] + anchor.offset;
      // What is open keeps its place though too few rows are below it.
      const room = this.#open.size > 0 ? scrollTop + this.#scroller.clientHeight : 0;
      this.#canvas.style.height = `${Math.max(top, room)}px`;
      this.#scroller.scrollTop = scrollTop;
    } else {
      this.#canvas.style.height = `${top}px`;
    }
    this.#drawSoon();
  }

  #draw() {
    const count = this.#records.length;
    const { scrollTop, clientHeight } = this.#scroller;
    const wanted = [];
    if (count > 0) {
      const from = Math.max(0, this.#placeAt(scrollTop) - SPARE);
      const to = Math.min(count - 1, this.#placeAt(scrollTop + clientHeight) + SPARE);
      for (let place = from; place <= to; place += 1) wanted.push(place);
      // The one that has the focus must not go, and with it the focus.
      const at = this.selected === null ? -1 : this.#position(this.selected);
      if (at !== -1 && at < from) wanted.unshift(at);
      if (at > to) wanted.push(at);
    }
    const rows = new Map();
    let next = null;
    for (const place of wanted.toReversed()) {
      const record = this.#at(place);
      let row = this.#rows.get(record.number);
      if (row?.record !== record) {
        row?.element.remove();
        row = this.#make(record);
      }
      if (row.element.nextSibling !== next || !row.element.isConnected) this.#canvas.insertBefore(row.element, next);
      next = row.element;
      rows.set(record.number, row);
      this.#place(row, place, count);
    }
    for (const [numbered, row] of this.#rows) {
      if (rows.get(numbered) !== row) {
        if (row.detail) this.#sizes.unobserve(row.detail);
        this.#sizes.unobserve(row.summary);
        row.element.remove();
      }
    }
    this.#rows = rows;
    this.#tellNewer();
  }

  #make(record) {
    const row = makeRow(record, () => this.toggle(record.number));
    if (record.tall) this.#sizes.observe(row.summary);
    row.element.addEventListener("focus", () => {
      this.selected = record.number;
      this.#drawSoon();
    });
    return row;
  }

  #place(row, place, count) {
    const { element, record } = row;
    element.style.translate = `0 ${this.#tops[place]}px`;
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", count);
    const inTurn = this.selected === null ? place === 0 : this.selected === record.number;
    element.tabIndex = inTurn ? 0 : -1;
    const open = this.#open.has(record.number);
    if (open !== row.isOpen) {
      if (!open) this.#sizes.unobserve(row.detail);
      row.setOpen(open);
      if (open) this.#sizes.observe(row.detail);
    }
  }

  #tellNewer() {
    const latest = this.#records.at(-1)?.number ?? 0;
    if (this.#anchor() === null) this.#seen = latest;
    const newer = this.#records.length - firstFrom(this.#records, this.#seen + 1);
    this.#newest.hidden = newer === 0;
    if (newer > 0) this.#newest.textContent = `↑ ${number(newer)} newer`;
  }

  #measured(entries) {
    let changed = false;
    for (const { target } of entries) {
      const numbered = Number(target.parentElement?.dataset.number);
      const height = target.offsetHeight;
      if (height === 0) continue;
      if (target.matches(".summary")) {
        changed = this.#measuredTall(numbered, height) || changed;
      } else if (this.#open.has(numbered) && this.#open.get(numbered) !== height) {
        this.#open.set(numbered, height);
        changed = true;
      }
    }
    if (changed) this.#layout(this.#anchor());
  }

  /** A hint takes as many lines as it needs. Where its row is open it is not in the summary. */
  #measuredTall(numbered, height) {
    // The line below a row is a part of it.
    if (this.#open.has(numbered) || this.#tall.get(numbered) === height + 1) return false;
    this.#tall.set(numbered, height + 1);
    return true;
  }

  /** The heights of rows are the style sheet's. */
  #resized() {
    const style = getComputedStyle(document.documentElement);
    const anchor = this.#anchor();
    this.#tall.clear();
    for (const [numbered, { record, summary }] of this.#rows) {
      if (record.tall) this.#measuredTall(numbered, summary.offsetHeight);
    }
    this.#heights = { row: parseFloat(style.getPropertyValue("--row")), tall: parseFloat(style.getPropertyValue("--row-tall")) };
    this.#layout(anchor);
  }
}

/** The place of the first record of this number or a higher one. */
function firstFrom(records, numbered) {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (records[middle].number < numbered) low = middle + 1;
    else high = middle;
  }
  return low;
}
