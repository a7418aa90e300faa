-- Pending events, one a row. The delivery of an event deletes its row.
CREATE TABLE outbox_events (
    id              INTEGER PRIMARY KEY,        -- one more than outbox_counts.newest was: none is given twice
    created_at      INTEGER NOT NULL,           -- when it happened: Unix seconds, as Intercom is told
    accepted_at     INTEGER NOT NULL,           -- when it was accepted, or redriven since: Unix milliseconds
    due_at          INTEGER,                    -- when it may be sent again: Unix milliseconds; NULL: it was never put back
    attempts        INTEGER NOT NULL DEFAULT 0, -- how many were spent on it
    last_failure    TEXT,                       -- why it was put back the last time, in words
    last_status     INTEGER,                    -- the HTTP status of that answer
    last_request_id TEXT,                       -- the id that Intercom gave that request
    fingerprint     INTEGER NOT NULL,           -- of its contact and its name, see outbox_seconds
    body            TEXT    NOT NULL            -- what is sent, byte for byte
) STRICT;

-- An event that nothing has put back is due in the order of the ids, and needs no entry here.
CREATE INDEX outbox_events_put_back ON outbox_events (due_at, id) WHERE due_at IS NOT NULL;

-- Dead letters. A redriven event keeps its id.
CREATE TABLE outbox_dead_letters (
    id              INTEGER PRIMARY KEY,
    reason          TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    died_at         INTEGER NOT NULL,           -- Unix milliseconds
    attempts        INTEGER NOT NULL,
    last_failure    TEXT,
    last_status     INTEGER,
    last_request_id TEXT,
    fingerprint     INTEGER NOT NULL,
    body            TEXT    NOT NULL
) STRICT;

-- Which contact and name has an event in which second, now or not long ago: Intercom would ignore another one.
CREATE TABLE outbox_seconds (
    second          INTEGER NOT NULL,
    fingerprint     INTEGER NOT NULL,
    next_second     INTEGER NOT NULL,           -- the next one that may be free
    held            INTEGER NOT NULL,           -- how many such events are pending or dead letters
    era             INTEGER NOT NULL,           -- the era in which it was taken, or in which the last of them left
    moved_here      INTEGER NOT NULL DEFAULT 0, -- whether it was taken by an event that was moved to it
    PRIMARY KEY (second, fingerprint)
) STRICT, WITHOUT ROWID;

-- The same for the last accepted events, in the order of their ids, until one statement moves many
-- of them there.
CREATE TABLE outbox_new_seconds (
    id              INTEGER PRIMARY KEY,        -- the event's, pending, dead or gone
    second          INTEGER NOT NULL,
    fingerprint     INTEGER NOT NULL,
    era             INTEGER NOT NULL
) STRICT;

-- One row: the counts since the creation of the file, so that no query must count.
CREATE TABLE outbox_counts (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    accepted        INTEGER NOT NULL DEFAULT 0, -- always delivered + dead + pending
    delivered       INTEGER NOT NULL DEFAULT 0,
    dead            INTEGER NOT NULL DEFAULT 0, -- purged ones too
    pending         INTEGER NOT NULL DEFAULT 0,
    pending_bytes   INTEGER NOT NULL DEFAULT 0, -- of their bodies
    dead_letters    INTEGER NOT NULL DEFAULT 0,
    moved           INTEGER NOT NULL DEFAULT 0,
    collided        INTEGER NOT NULL DEFAULT 0,
    newest          INTEGER NOT NULL DEFAULT 0, -- the highest id given so far
    capacity        INTEGER,                    -- how many events may be pending; NULL: any number
    max_bytes       INTEGER,                    -- how many bytes their bodies may have; NULL: any number
    era             INTEGER NOT NULL DEFAULT 2, -- see outbox_seconds
    era_began       INTEGER NOT NULL DEFAULT 0, -- Unix milliseconds
    left_in_era     INTEGER NOT NULL DEFAULT 0, -- how many events did
    era_after       INTEGER NOT NULL DEFAULT 0, -- the highest id that was given before it began
    filed           INTEGER NOT NULL DEFAULT 0  -- the seconds of events up to this id are in outbox_seconds
) STRICT;

INSERT INTO outbox_counts (only_row) VALUES (1);

-- For people: what is pending, and why.
CREATE VIEW pending_events AS
SELECT id,
       body ->> 'event_name' AS event_name,
       strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%SZ', accepted_at / 1000, 'unixepoch') AS accepted_at,
       attempts,
       max(0, coalesce(due_at, 0) / 1000 - unixepoch()) AS due_in_seconds,
       last_failure,
       last_status,
       last_request_id,
       body
  FROM outbox_events
 ORDER BY id;

-- For people: the dead letters, and why they died.
CREATE VIEW dead_letters AS
SELECT id,
       body ->> 'event_name' AS event_name,
       strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch') AS created_at,
       reason,
       strftime('%Y-%m-%dT%H:%M:%SZ', died_at / 1000, 'unixepoch') AS died_at,
       attempts,
       last_failure,
       last_status,
       last_request_id,
       body
  FROM outbox_dead_letters
 ORDER BY id;
