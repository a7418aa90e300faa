// A button that copies a text, and says whether it could.

import { h } from "./dom.js";

/** How long it says so, in milliseconds. */
const SAID_FOR = 1500;

export function copyButton(name, text, label = "Copy") {
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = label), SAID_FOR);
  };
  const copy = () => navigator.clipboard.writeText(text).then(() => say("Copied"), () => say("Not copied"));
  const button = h("button", { class: "copy", title: name, onclick: copy }, label);
  return button;
}
