// The keyboard shortcuts. In a field only Escape works.

import { byId } from "./dom.js";

export function listen({ tabs, list, filter, togglePause }) {
  const help = byId("help");
  byId("help-button").addEventListener("click", () => help.showModal());

  const keys = {
    "/": () => {
      tabs.show("events");
      filter.nameField.focus();
      filter.nameField.select();
    },
    j: () => tabs.current === "events" && list.move(1),
    k: () => tabs.current === "events" && list.move(-1),
    p: () => togglePause(),
    "?": () => help.showModal(),
    Home: () => tabs.current === "events" && list.toNewest(),
    1: () => tabs.showAt(1),
    2: () => tabs.showAt(2),
    3: () => tabs.showAt(3),
    4: () => tabs.showAt(4),
    Escape: () => tabs.current === "events" && list.leave(),
  };
  keys.ArrowDown = keys.j;
  keys.ArrowUp = keys.k;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const { target, key } = event;
    if (isField(target)) {
      if (key === "Escape") target.blur();
      return;
    }
    // Tabs and scrolling elements use the arrows themselves.
    if (key.startsWith("Arrow") && target.closest("[role=tablist], .detail, .wire")) return;
    if (Object.hasOwn(keys, key)) {
      event.preventDefault();
      keys[key]();
    }
  });
}

function isField(target) {
  return target.matches("input:not([type=radio]), select, textarea");
}
