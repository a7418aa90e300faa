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

/** A sentence of the sandbox's, with what is between backticks as code. */
export function prose(sentence) {
  return sentence.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/** A link to a web page elsewhere, or the text alone where the address is not one of the web. */
export function link(address, text) {
  if (!isWebAddress(address)) {
    return h("span", { title: address }, text);
  }
  return h("a", { href: address, title: address, rel: "noopener noreferrer", target: "_blank" }, text);
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
