// Makes elements. Text goes in as text and nothing here reads HTML, so that what a sender puts into an
// event is shown and never run.

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

/** Characters that nobody would see, or that would turn the text around them. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;
/** Those that everybody knows by another sign than their code. */
const SIGNS = { "\n": "↵", "\t": "⇥" };
const SPLIT = new RegExp(`(${UNSEEN.source})`, "u");

/** A text that a sender wrote: it hides nothing, and its direction stays its own. */
export function foreign(text) {
  return h("bdi", {}, visible(text));
}

/** A text in parts, its control characters as signs, but for those that are excepted. */
export function visible(text, excepted = "") {
  if (!UNSEEN.test(text)) return [text];
  return text.split(SPLIT).map((part) => (UNSEEN.test(part) && !excepted.includes(part) ? sign(part) : part));
}

function sign(character) {
  const code = character.codePointAt(0);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return h("span", { class: "control", title: `control character ${name}` }, SIGNS[character] ?? name);
}

/** A sentence of the sandbox's, with what is between backticks as code. It may quote a sender. */
export function prose(sentence) {
  return sentence.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, foreign(part)) : foreign(part)));
}

/** A link to a web page elsewhere, or the text alone where the address is not one of the web. */
export function link(address, text) {
  if (!isWebAddress(address)) {
    return h("span", { title: address }, foreign(text));
  }
  return h("a", { href: address, title: address, rel: "noopener noreferrer", target: "_blank" }, foreign(text));
}

/** Whether it is an address that a link may lead to: `javascript:` and the like are not. */
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
