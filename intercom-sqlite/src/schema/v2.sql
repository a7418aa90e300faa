-- Version 2: accepting is a plain insert, one engine delivers under an epoch, and a delivered event
-- leaves only its slot.

-- Renaming must not rewrite views. Those of version 1 stay as they are.
PRAGMA legacy_alter_table = ON;
DROP INDEX outbox_events_put_back;
ALTER TABLE outbox_events RENAME TO outbox_events_v1;
ALTER TABLE outbox_dead_letters RENAME TO outbox_dead_letters_v1;
ALTER TABLE outbox_counts RENAME TO outbox_counts_v1;
PRAGMA legacy_alter_table = OFF;

-- Pending events. The delivery of an event deletes its row.
CREATE TABLE outbox_events (
    id              INTEGER PRIMARY KEY,        -- outbox_counts.newest + 1: no id is given twice
    created_at      INTEGER NOT NULL,           -- Unix seconds, as Intercom is told
    accepted_at     INTEGER NOT NULL,           -- Unix milliseconds; of the redrive, if there was one
    due_at          INTEGER,                    -- Unix milliseconds; NULL: never put back, due at once
    admitted        INTEGER NOT NULL DEFAULT 0, -- 1: its bytes are final
    origin          INTEGER NOT NULL,           -- random number of the process that accepted it
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_failure    TEXT,                       -- why it was put back last, in words
    last_status     INTEGER,                    -- HTTP status of that answer
    last_request_id TEXT,                       -- Intercom's id of that request
    body            TEXT    NOT NULL            -- what is sent, byte for byte
) STRICT;

INSERT INTO outbox_events
SELECT id, created_at, accepted_at, due_at, due_at IS NOT NULL, 0, attempts,
       last_failure, last_status, last_request_id, body
  FROM outbox_events_v1 ORDER BY id;

-- Events that nothing has put back are due in the order of their ids, and have no entry here.
CREATE INDEX outbox_events_put_back ON outbox_events (due_at, id) WHERE due_at IS NOT NULL;
-- A takeover reads the slots of these.
CREATE INDEX outbox_events_admitted ON outbox_events (id) WHERE admitted = 1;

-- Dead letters, under the ids that they had as events.
CREATE TABLE outbox_dead_letters (
    id              INTEGER PRIMARY KEY,
    reason          TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    died_at         INTEGER NOT NULL,           -- Unix milliseconds
    admitted        INTEGER NOT NULL,           -- 1: an attempt may have arrived
    origin          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    last_failure    TEXT,
    last_status     INTEGER,
    last_request_id TEXT,
    body            TEXT    NOT NULL
) STRICT;

INSERT INTO outbox_dead_letters
SELECT id, reason, created_at, accepted_at, died_at, reason IN ('attempt_limit', 'age_limit', 'panic'),
       0, attempts, last_failure, last_status, last_request_id, body
  FROM outbox_dead_letters_v1 ORDER BY id;

-- Slots in which events left: contact, event name and second. Written by the settling transaction.
CREATE TABLE outbox_used_slots (
    keep_until      INTEGER NOT NULL,           -- Unix seconds
    key             INTEGER NOT NULL,           -- 64 bits of SipHash-1-3 of contact and name
    second          INTEGER NOT NULL,           -- Unix seconds
    PRIMARY KEY (keep_until, key, second)
) STRICT, WITHOUT ROWID;

-- What version 1 remembered of events that had left. 120 is its window, in seconds.
INSERT INTO outbox_used_slots
SELECT min(max(unixepoch(), second), 9223372036854775000) + 120, fingerprint, second
  FROM (SELECT fingerprint, second
          FROM outbox_seconds AS taken
         WHERE held = 0 AND (era > (SELECT era - 2 FROM outbox_counts_v1)
                             OR (moved_here AND second >= unixepoch() - 120))
         UNION
        SELECT fingerprint, second
          FROM outbox_new_seconds AS new
         WHERE NOT EXISTS (SELECT 1 FROM outbox_events AS event WHERE event.id = new.id)
           AND NOT EXISTS (SELECT 1 FROM outbox_dead_letters AS letter WHERE letter.id = new.id)
         UNION
        SELECT fingerprint, created_at
          FROM outbox_dead_letters_v1
         WHERE reason IN ('attempt_limit', 'age_limit', 'panic')
           AND died_at >= (unixepoch() - 120) * 1000);

-- One row: the counts since the creation of the file, the bounds, and the process that delivers.
CREATE TABLE outbox_counts (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    accepted        INTEGER NOT NULL,           -- always delivered + dead + pending
    delivered       INTEGER NOT NULL,
    dead            INTEGER NOT NULL,           -- with purged ones, without redriven ones
    pending         INTEGER NOT NULL,
    pending_bytes   INTEGER NOT NULL,           -- of their bodies
    dead_letters    INTEGER NOT NULL,
    redriven        INTEGER NOT NULL,
    moved           INTEGER NOT NULL,
    collided        INTEGER NOT NULL,
    newest          INTEGER NOT NULL,           -- the highest id given so far
    earliest_new    INTEGER,                    -- no event that is not admitted has an earlier second
    capacity        INTEGER,                    -- how many events may be pending; NULL: any number
    max_bytes       INTEGER,                    -- how many bytes their bodies may have; NULL: any number
    epoch           INTEGER NOT NULL,           -- grows by one whenever another engine delivers
    deliverer       TEXT,                       -- the process that delivers; NULL: it has released
    delivering_since INTEGER                    -- Unix milliseconds
) STRICT;

INSERT INTO outbox_counts
SELECT 1, accepted, delivered, dead, pending, pending_bytes, dead_letters, 0, moved, collided, newest,
       (SELECT min(created_at) FROM outbox_events WHERE admitted = 0), capacity, max_bytes, 0, NULL, NULL
  FROM outbox_counts_v1;

DROP TABLE outbox_events_v1;
DROP TABLE outbox_dead_letters_v1;
DROP TABLE outbox_counts_v1;
DROP TABLE outbox_seconds;
DROP TABLE outbox_new_seconds;
