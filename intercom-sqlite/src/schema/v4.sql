-- Version 4: more decisions of admission than the second, and erased contacts.

-- outbox_events.admitted is 0: never; 1: yes, its bytes are final; 2: no, it is redriven after
-- Intercom refused it; 3: never, and a rule derived it. To rename the column would fail where a view
-- of the application's is broken.
UPDATE outbox_events SET admitted = 2 WHERE due_at IS NOT NULL AND admitted = 0;

-- Always accepted + derived = delivered + dead + pending + withheld + dropped + erased.
ALTER TABLE outbox_counts ADD COLUMN derived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox_counts ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox_counts ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox_counts ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- Identifiers of erased contacts, as keyed hashes. The key is as secret as the file.
CREATE TABLE outbox_tombstones (
    tombstone       BLOB    NOT NULL PRIMARY KEY, -- 128 bits of SipHash-2-4
    erased_at       INTEGER NOT NULL              -- Unix milliseconds
) STRICT, WITHOUT ROWID;
ALTER TABLE outbox_counts ADD COLUMN tombstone_key BLOB;
UPDATE outbox_counts SET tombstone_key = randomblob(16);
ALTER TABLE outbox_counts ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0; -- grows with each change of them

-- The names of sensitive metadata keys, as a JSON array; NULL: none. People see their values masked.
ALTER TABLE outbox_events ADD COLUMN sensitive TEXT;
ALTER TABLE outbox_dead_letters ADD COLUMN sensitive TEXT;

DROP VIEW pending_events;
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
       CASE WHEN sensitive IS NULL THEN body ELSE json_replace(body, '$.metadata', json((
           SELECT json_group_object(member.key, json(CASE
                      WHEN member.key IN (SELECT value FROM json_each(sensitive)) THEN '"[sensitive]"'
                      ELSE body -> member.fullkey
                  END))
             FROM json_each(body, '$.metadata') AS member))) END AS body
  FROM outbox_events
 ORDER BY id;

DROP VIEW dead_letters;
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
       CASE WHEN sensitive IS NULL THEN body ELSE json_replace(body, '$.metadata', json((
           SELECT json_group_object(member.key, json(CASE
                      WHEN member.key IN (SELECT value FROM json_each(sensitive)) THEN '"[sensitive]"'
                      ELSE body -> member.fullkey
                  END))
             FROM json_each(body, '$.metadata') AS member))) END AS body
  FROM outbox_dead_letters
 ORDER BY id;
