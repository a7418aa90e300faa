// Formats times, numbers and outcomes.

/** The outcomes, in the order of the chart and the filter. */
export const OUTCOMES = [
  { id: "accepted", label: "Accepted", meaning: "An event that Intercom would keep." },
  { id: "duplicate", label: "Duplicate", meaning: "Ignored, and answered as accepted: an earlier event has its contact, name and second." },
  { id: "refused", label: "Refused", meaning: "Intercom would refuse it. Open it for the rule and the fix." },
  { id: "faulted", label: "Faulted", meaning: "A fault replaced or prevented the answer." },
  { id: "served", label: "Other requests", badge: "Other", meaning: "A request without an event, such as one about a contact." },
];

/** The label of a single request. */
export const LABELS = Object.fromEntries(OUTCOMES.map(({ id, label, badge }) => [id, badge ?? label]));

const two = (number) => String(number).padStart(2, "0");

/** `16:30:04.123`, local time. */
export function clockTime(milliseconds) {
  const time = new Date(milliseconds);
  const fraction = String(time.getMilliseconds()).padStart(3, "0");
  return `${shortTime(milliseconds)}.${fraction}`;
}

/** `16:30:04`, local time. */
export function shortTime(milliseconds) {
  const time = new Date(milliseconds);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const SHORT_DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const ZONED = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" });

/** The time zone of all times on the page, at one of them: `UTC+2`. */
export function zone(milliseconds) {
  const { value } = ZONED.formatToParts(milliseconds).find(({ type }) => type === "timeZoneName");
  return value.replace("GMT", "UTC").replace(/\+0$/, "");
}

/** A local date with its time to the millisecond, and the zone. */
export function exactTime(milliseconds) {
  return `${DATE.format(milliseconds)} ${clockTime(milliseconds)} ${zone(milliseconds)}`;
}

/** A local date with its time, or `null` for an impossible date. */
export function dateTime(milliseconds, { short = false } = {}) {
  const time = new Date(milliseconds);
  return Number.isNaN(time.getTime()) ? null : (short ? SHORT_DATE_TIME : DATE_TIME).format(time);
}

/** A range of two times, with one date if both are on it. */
export const period = (from, to) => (Number.isNaN(from) || Number.isNaN(to) ? null : DATE_TIME.formatRange(from, to));

const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 20 });

export const number = (value) => NUMBER.format(value);

const SHORT = new Intl.NumberFormat(undefined, { notation: "compact" });

/** `2K` for 2,000. */
export const short = (value) => SHORT.format(value);

/** `1 event`, `2 events`. */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
