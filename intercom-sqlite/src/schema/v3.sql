-- Version 3: how many dead letters are kept, and whether the file is complete without its WAL.

CREATE TABLE outbox_keeping (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    max_dead_letters INTEGER NOT NULL,          -- how many are kept: the oldest beyond are purged
    max_dead_age    INTEGER,                    -- milliseconds after which one is purged; NULL: never
    needs_wal       INTEGER NOT NULL            -- 1 in a file whose last commits are in its WAL, where it is 0
) STRICT;

INSERT INTO outbox_keeping VALUES (1, 100000, NULL, 0);

-- The oldest are purged first.
CREATE INDEX outbox_dead_letters_died ON outbox_dead_letters (died_at);
