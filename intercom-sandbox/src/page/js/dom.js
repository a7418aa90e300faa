// Makes elements. Inserts text as text and parses no HTML, so that the page never runs the content
// of an event.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (`onclick: …`) and children: nodes, texts, or nothing. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for an element of a picture. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Invisible characters, and characters that change the direction of text. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;
/** Characters with a well-known symbol. */
const SYMBOLS = { "\n": "↵", "\t": "⇥" };
const SPLIT = new RegExp(`(${INVISIBLE.source})`, "u");

/** A text of a sender, with its invisible characters shown and its direction isolated. */
export function untrusted(text) {
  return h("bdi", {}, visible(text));
}

/** A text in parts, its control characters as symbols, except for those in `kept`. */
export function visible(text, kept = "") {
  if (!INVISIBLE.test(text)) return [text];
  return text.split(SPLIT).map((part) => (INVISIBLE.test(part) && !kept.includes(part) ? sign(part) : part));
}

function sign(character) {
  const code = character.codePointAt(0);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return h("span", { class: "control", title: `control character ${name}` }, SYMBOLS[character] ?? name);
}

/** A sentence of the sandbox, with code in backticks. It may quote a sender. */
export function prose(sentence) {
  return sentence.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, untrusted(part)) : untrusted(part)));
}

/** A link to a web page, or the text alone if the address is not a web address. */
export function link(address, text) {
  if (!isWebAddress(address)) {
    return h("span", { title: address }, untrusted(text));
  }
  return h("a", { href: address, title: address, rel: "noopener noreferrer", target: "_blank" }, untrusted(text));
}

/** Whether the page links to this address: not to `javascript:` and the like. */
export function isWebAddress(text) {
  if (!/^https?:\/\/\S+$/i.test(text)) {
    return false;
  }
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
