// Assembles the page, and passes each update of the feed to its parts.

import { post } from "./admin.js";
import { Announcer } from "./announcer.js";
import { Budget } from "./budget.js";
import { Catalogue } from "./catalogue.js";
import { Chart } from "./chart.js";
import { Contacts } from "./contacts.js";
import { copyButton } from "./copy.js";
import { byId, h } from "./dom.js";
import { download } from "./export.js";
import { Faults } from "./faults.js";
import { follow } from "./feed.js";
import { Filter } from "./filter.js";
import { number, OUTCOMES, zone } from "./format.js";
import { listen } from "./keyboard.js";
import { List } from "./list.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";

const TITLE = document.title;

const CONNECTIONS = { live: "live", reconnecting: "reconnecting", ended: "the sandbox has stopped" };

const store = new Store();
const list = new List(byId("scroller"), byId("rows"), byId("newest"));
const chart = new Chart(byId("chart"), byId("chart-readout"));
const budget = new Budget(byId("budget"));
const faults = new Faults();
const contacts = new Contacts();
const announcer = new Announcer(byId("live"));
const filter = new Filter(() => {
  refresh();
  announcer.announceResult(byId("shown").textContent);
});
const catalogue = new Catalogue((name) => {
  filter.only(name);
  tabs.show("events");
  byId("tab-events").focus();
});
const tabs = new Tabs((view) => {
  contacts.show(view === "contacts");
  catalogue.show(view === "catalogue");
  faults.show(view === "faults");
});

const pause = byId("pause");

/** Shows the requests that match the filter. */
function refresh() {
  const shown = filter.apply(store.records);
  list.show(shown);
  const { length } = store.records;
  byId("nothing").hidden = length > 0 || store.paused;
  byId("paused-note").hidden = length > 0 || !store.paused;
  byId("no-match").hidden = length === 0 || shown.length > 0;
  // A screen reader reports a feed without articles as an error.
  const feed = shown.length > 0 ? { role: "feed", "aria-label": "Requests, newest first" } : {};
  for (const name of ["role", "aria-label"]) {
    if (feed[name]) byId("rows").setAttribute(name, feed[name]);
    else byId("rows").removeAttribute(name);
  }
  byId("export").disabled = shown.length === 0;
  const left = store.leftOut;
  byId("shown").textContent = [
    shown.length < length ? `${number(shown.length)} of ${number(length)}` : length > 0 && `${number(length)} shown`,
    left > 0 && length > 0 && `${number(left)} not shown`,
  ].filter(Boolean).join(", ");
  byId("shown").title = left > 0 ? "The list shows the latest 10,000 requests, and skips some if they arrive too fast. The counts include all of them." : "";
}

/** Opens the request that the address names, once it has arrived, and clears the filter for it. */
function openLinkedRequest() {
  const [, numbered] = /^#request-(\d+)$/.exec(location.hash) ?? [];
  if (numbered === undefined || numbered === openedLink) return;
  const isThere = store.records.some((record) => record.number === Number(numbered));
  if (!isThere) return;
  if (filter.isSet) filter.only("");
  openedLink = numbered;
  list.reveal(Number(numbered));
}

/** The last request that the page opened for the address. */
let openedLink = null;

function togglePause() {
  if (store.paused) store.resume();
  else store.pause();
  pause.setAttribute("aria-pressed", store.paused);
  updatePauseButton();
  refresh();
}

function updatePauseButton() {
  pause.textContent = store.paused ? `Resume · ${number(store.pausedCount)} new` : "Pause";
}

function clear() {
  const notice = byId("notice");
  notice.textContent = "";
  post("/clear").catch((error) => (notice.textContent = `Not cleared: ${error.message}.`));
}

follow({
  begin({ url }) {
    store.begin();
    list.reset();
    chart.begin();
    catalogue.begin();
    byId("address").textContent = new URL(url).host;
    byId("notice").textContent = "";
    updatePauseButton();
    refresh();
  },
  update(update, characters) {
    if (update.records.length > 0 || update.skipped > 0) {
      store.take(update.records, update.skipped, characters);
      if (store.paused) updatePauseButton();
      else refresh();
      openLinkedRequest();
    }
    const { counts } = update;
    filter.count(counts);
    document.title = counts.refused > 0 ? `${number(counts.refused)} refused · ${TITLE}` : TITLE;
    chart.update(update);
    budget.update(update);
    contacts.update();
    catalogue.update(update);
    faults.update(update);
    announcer.announceRequests(counts);
  },
  connection(state) {
    const place = byId("connection");
    place.dataset.state = state;
    place.textContent = CONNECTIONS[state];
    place.title = state === "ended" ? "The list keeps its requests. The page reconnects when a sandbox runs at this address again." : "";
    if (state === "live") chart.connected();
    else budget.disconnected();
  },
});

pause.addEventListener("click", togglePause);
byId("clear").addEventListener("click", clear);
byId("export").addEventListener("click", () => download(filter.apply(store.records)));
addEventListener("hashchange", () => {
  openedLink = null;
  openLinkedRequest();
});
byId("zone").textContent = zone(Date.now());
listen({ tabs, list, filter, togglePause });

byId("nothing-address").textContent = location.origin;
const command = [
  `curl -i ${location.origin}/events \\`,
  "  -H 'Authorization: Bearer TOKEN' \\",
  "  -H 'Accept: application/json' -H 'Content-Type: application/json' \\",
  `  -d '{"event_name":"project_created","created_at":'$(date +%s)',"user_id":"42",`,
  `       "metadata":{"project_name":"Apollo","budget":{"amount":34999,"currency":"eur"}}}'`,
].join("\n");
byId("nothing-command").textContent = command;
byId("nothing-place").append(copyButton("Copy the command", command));
byId("help-outcomes").append(
  ...OUTCOMES.flatMap(({ id, label, meaning }) => [h("dt", { "data-outcome": id }, h("span", { class: "badge" }, label)), h("dd", {}, meaning)]),
);
refresh();
