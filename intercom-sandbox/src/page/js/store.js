// The records that the page keeps: the latest ones, up to a number and up to a size.

/** As many as the sandbox sends to a page that opens. */
const KEPT = 10_000;

/** In characters of JSON; most records have less than a thousand. */
const KEPT_CHARACTERS = 64_000_000;

export class Store {
  /** In order of arrival. A new list each time: the old one is what is still shown. */
  records = [];
  /** What came while the list is paused. */
  #held = [];
  /** How many came while it is paused, those among them that there is no room for. */
  heldCount = 0;
  paused = false;
  /** How many were told of, kept or not. */
  #told = 0;

  /** How many are neither here nor held. */
  get leftOut() {
    return this.#told - this.records.length - this.heldCount;
  }

  /** Begins anew. */
  begin() {
    this.#told = 0;
    this.records = [];
    this.#held = [];
    this.heldCount = 0;
  }

  /** Takes in what is new, how many were skipped, and in how many characters it was told. */
  take(records, skipped, characters) {
    for (const record of records) {
      prepare(record, characters / records.length);
    }
    this.#told += records.length + skipped;
    if (this.paused) {
      this.heldCount += records.length + skipped;
      this.#held = latest(this.#held.concat(records));
    } else {
      this.records = latest(this.records.concat(records));
    }
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.records = latest(this.records.concat(this.#held));
    this.#held = [];
    this.heldCount = 0;
    this.paused = false;
  }
}

/** As many of the last ones as are kept. */
function latest(records) {
  let from = records.length;
  let characters = 0;
  while (from > 0 && records.length - from < KEPT && characters < KEPT_CHARACTERS) {
    from -= 1;
    characters += records[from].characters;
  }
  return from === 0 ? records : records.slice(from);
}

/** What a record is asked for again and again, worked out once. */
function prepare(record, characters) {
  const { event } = record;
  record.characters = characters;
  record.time = Date.parse(record.received_at);
  record.title = event?.name ?? `${record.method} ${record.path}`;
  record.nameKey = record.title.toLowerCase();
  record.contactKey = event?.contact ? `${event.contact.kind} ${event.contact.value}`.toLowerCase() : "";
  record.tall = record.problems.some((problem) => problem.hint);
}

/** All that a request said and was answered, in lower case, to be looked through. */
export function textOf({ body, answer, event }) {
  // Escapes of JSON hide in a body what its metadata shows.
  const metadata = event?.metadata.map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`) ?? [];
  return [body, answer, ...metadata].join("\n").toLowerCase();
}
