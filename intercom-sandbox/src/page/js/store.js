// The records that the page keeps: the latest ones, up to a number and up to a size.

/** As many as the sandbox sends to a page that opens. */
const KEPT = 10_000;

/** In characters of JSON; most records have less than a thousand. */
const KEPT_CHARACTERS = 64_000_000;

export class Store {
  /** In order of arrival. */
  records = [];
  /** What came while the list is paused. */
  #held = [];
  #characters = 0;
  /** How many came while it is paused, those among them that there is no room for. */
  heldCount = 0;
  /** How many are not here because the page did not keep up, or came too late. */
  skipped = 0;
  paused = false;

  /** Begins anew. */
  begin() {
    this.records = [];
    this.#held = [];
    this.#characters = 0;
    this.heldCount = 0;
    this.skipped = 0;
  }

  /** Takes in what is new, and how many characters it was told in. */
  take(records, skipped, characters) {
    this.skipped += skipped;
    const each = records.length > 0 ? characters / records.length : 0;
    for (const record of records) {
      prepare(record, each);
    }
    if (this.paused) {
      this.heldCount += records.length + skipped;
      this.#held.push(...records);
      if (this.#held.length > KEPT) this.#held.splice(0, this.#held.length - KEPT);
    } else {
      this.#append(records);
    }
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
    this.heldCount = 0;
    this.#append(this.#held);
    this.#held = [];
  }

  #append(records) {
    this.records.push(...records);
    this.#characters += records.reduce((sum, record) => sum + record.characters, 0);
    let leaving = Math.max(0, this.records.length - KEPT);
    let characters = this.#characters;
    for (let index = 0; index < leaving; index += 1) characters -= this.records[index].characters;
    while (characters > KEPT_CHARACTERS && leaving < this.records.length - 1) {
      characters -= this.records[leaving].characters;
      leaving += 1;
    }
    if (leaving > 0) this.records.splice(0, leaving);
    this.#characters = characters;
  }
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
