-- Version 4: what admission may decide besides the second, and contacts that were erased.

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
