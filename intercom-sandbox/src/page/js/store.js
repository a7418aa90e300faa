// The latest records, up to a number and up to a size.

/** The most records, as many as the sandbox sends to a new page. */
const MAX_RECORDS = 10_000;

/** The most characters of JSON. Most records have less than a thousand. */
const MAX_CHARACTERS = 64_000_000;

export class Store {
  /**
   * The records in order of arrival. Each change makes a new list, because the page may still show
   * the old one.
   */
  records = [];
  /** The records that arrived during the pause. */
  #pausedRecords = [];
  /** The number of requests during the pause, kept or not. */
  pausedCount = 0;
  paused = false;
  /** The number of requests so far, kept or not. */
  #received = 0;

  /** The number of requests that the page did not keep. */
  get leftOut() {
    return this.#received - this.records.length - this.pausedCount;
  }

  /** Removes all records. */
  begin() {
    this.#received = 0;
    this.records = [];
    this.#pausedRecords = [];
    this.pausedCount = 0;
  }

  /** Adds new records, the number of skipped ones, and the characters of the message. */
  take(records, skipped, characters) {
    for (const record of records) {
      prepare(record, characters / records.length);
    }
    this.#received += records.length + skipped;
    if (this.paused) {
      this.pausedCount += records.length + skipped;
      this.#pausedRecords = latest(this.#pausedRecords.concat(records));
    } else {
      this.records = latest(this.records.concat(records));
    }
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.records = latest(this.records.concat(this.#pausedRecords));
    this.#pausedRecords = [];
    this.pausedCount = 0;
    this.paused = false;
  }
}

/** The last records within the limits. */
function latest(records) {
  let from = records.length;
  let characters = 0;
  while (from > 0 && records.length - from < MAX_RECORDS && characters < MAX_CHARACTERS) {
    from -= 1;
    characters += records[from].characters;
  }
  return from === 0 ? records : records.slice(from);
}

/** Computes once what the list and the filter often need. */
function prepare(record, characters) {
  const { event } = record;
  record.characters = characters;
  record.time = Date.parse(record.received_at);
  record.title = event?.name ?? `${record.method} ${record.path}`;
  record.nameKey = record.title.toLowerCase();
  record.contactKey = event?.contact ? `${event.contact.kind} ${event.contact.value}`.toLowerCase() : "";
  record.tall = record.problems.some((problem) => problem.hint);
}

/** The text of a request and its answer, in lower case, for the search. */
export function textOf({ body, answer, event }) {
  // A body may write by JSON escapes what its metadata shows.
  const metadata = event?.metadata.map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`) ?? [];
  return [body, answer, ...metadata].join("\n").toLowerCase();
}
