// Shows a metadata value by its kind at Intercom: a date, money, a link, and so on.

import { untrusted, h, isWebAddress, link } from "./dom.js";
import { dateTime, number } from "./format.js";

const STRIPE_KEYS = ["stripe_customer", "stripe_invoice", "stripe_charge"];

/** The kind of a value with this key. */
export function kindOf(key, value) {
  const folded = key.toLowerCase();
  switch (typeof value) {
    case "string":
      if (STRIPE_KEYS.includes(folded)) return "stripe";
      return isWebAddress(value) ? "link" : "text";
    case "number":
      return folded.endsWith("_date") && Number.isInteger(value) ? "date" : "number";
    case "boolean":
      return "boolean";
    default:
      if (isObject(value) && typeof value.url === "string" && typeof value.value === "string") return "rich link";
      if (isObject(value) && typeof value.amount === "number" && typeof value.currency === "string") return "money";
      return "other";
  }
}

/** The element of a value. */
export function shown(key, value) {
  switch (kindOf(key, value)) {
    case "text":
      return h("span", { class: "value" }, untrusted(value));
    case "number":
      return h("span", { class: "value" }, number(value));
    case "boolean":
      return h("span", { class: "value" }, value ? "yes" : "no");
    case "date":
      return date(value);
    case "link":
      return link(value, value.replace(/^https?:\/\//i, ""));
    case "rich link":
      return link(value.url, value.value);
    case "money":
      return h("span", { class: "value", title: `${value.amount} in minor units, ${value.currency}` }, untrusted(money(value)));
    case "stripe":
      return h("code", { title: "Stripe id" }, untrusted(value));
    default:
      return h("code", {}, untrusted(JSON.stringify(value)));
  }
}

/** Unix seconds as a local date. */
export function date(seconds) {
  const text = dateTime(seconds * 1000, { short: true });
  return h("time", { title: `${seconds} in Unix seconds` }, text ?? String(seconds));
}

const FORMATS = new Map();

/** Formats an amount in minor units, whose number depends on the currency. */
export function money({ amount, currency }) {
  try {
    let format = FORMATS.get(currency);
    if (!format) {
      format = new Intl.NumberFormat(undefined, { style: "currency", currency });
      FORMATS.set(currency, format);
    }
    return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    // No currency has such a code.
    return `${amount} ${currency}`;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
