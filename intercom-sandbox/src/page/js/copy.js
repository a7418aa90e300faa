// A button that copies a text, and shows whether that worked.

import { h } from "./dom.js";

/** The time for which the button shows the result, in milliseconds. */
const RESULT_TIME = 1500;

export function copyButton(name, text, label = "Copy") {
  const showResult = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = label), RESULT_TIME);
  };
  const copy = () => navigator.clipboard.writeText(text).then(() => showResult("Copied"), () => showResult("Not copied"));
  const button = h("button", { class: "copy", title: name, onclick: copy }, label);
  return button;
}
