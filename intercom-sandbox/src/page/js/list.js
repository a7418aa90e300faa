// The virtual list, newest first. Only the rows in view are elements: ten thousand records cost as
// much as thirty.
//
// In a scrolled list, or with an open row, the rows in view keep their place while new rows arrive
// above. While the mouse button is down no row moves, so that a click hits its row.

import { number } from "./format.js";
import { oncePerFrame } from "./frame.js";
import { makeRow } from "./row.js";

/** The rows to make beyond the view on either side. */
const OVERSCAN = 6;

/** The estimated height of the details of a row before their measurement. */
const ESTIMATED_DETAIL = 320;

export class List {
  #scroller;
  #canvas;
  #newest;
  #records = [];
  /** The top of each row, and the end of the last. */
  #tops = new Float64Array(1);
  /** The rows with elements, by number. */
  #rows = new Map();
  /** The height of the details of each open row, by number. */
  #open = new Map();
  /** The measured height of each row with a hint, by number. */
  #tall = new Map();
  /** The row that the keys have selected. */
  selected = null;
  /** The number of the latest row that was at the top. */
  #seen = 0;
  #heights = { row: 36, tall: 58 };
  #isPressed = false;
  /** The records to show at the release of the mouse button. */
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
    // After the click, which follows at once.
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => this.#release()));
    new ResizeObserver(() => this.#resized()).observe(scroller);
  }

  /** Shows these records, which are in order of arrival. */
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

  /** Selects the next or the previous row. */
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

  /** Closes the selected row if it is open, and deselects it otherwise. */
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

  /** Opens only this row and selects it, if the list has it. */
  reveal(numbered) {
    if (this.#position(numbered) === -1) return;
    this.#open.clear();
    this.toggle(numbered);
    this.#select(numbered);
  }

  toggle(numbered) {
    const anchor = { number: numbered, offset: this.#scroller.scrollTop - this.#tops[this.#position(numbered)] };
    if (!this.#open.delete(numbered)) this.#open.set(numbered, ESTIMATED_DETAIL);
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

  /** The place of a number from the top; -1 if the list lacks it. */
  #position(numbered) {
    const index = firstFrom(this.#records, numbered);
    return this.#records[index]?.number === numbered ? this.#records.length - 1 - index : -1;
  }

  /** The first row in view, which keeps its place; `null` while the list follows the newest. */
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
      // Without the anchor the next older record takes its place.
      const index = Math.min(firstFrom(this.#records, anchor.number), count - 1);
      const scrollTop = this.#tops[count - 1 - index] + anchor.offset;
      // An open row keeps its place even with too few rows below it.
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
    const visible = [];
    if (count > 0) {
      const from = Math.max(0, this.#placeAt(scrollTop) - OVERSCAN);
      const to = Math.min(count - 1, this.#placeAt(scrollTop + clientHeight) + OVERSCAN);
      for (let place = from; place <= to; place += 1) visible.push(place);
      // The focused row keeps its element, and with it the focus.
      const at = this.selected === null ? -1 : this.#position(this.selected);
      if (at !== -1 && at < from) visible.unshift(at);
      if (at > to) visible.push(at);
    }
    const rows = new Map();
    let next = null;
    for (const place of visible.toReversed()) {
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
    this.#updateNewestButton();
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

  #updateNewestButton() {
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

  /** Measures a row with a hint, of any number of lines. An open row has no hint in its summary. */
  #measuredTall(numbered, height) {
    // The row includes its border.
    if (this.#open.has(numbered) || this.#tall.get(numbered) === height + 1) return false;
    this.#tall.set(numbered, height + 1);
    return true;
  }

  /** Reads the heights of rows from the style sheet. */
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
