-- Ids of events. No cache: a session must not keep ids for later, or a late one could come unseen.
CREATE SEQUENCE {schema}.event_ids AS bigint CACHE 1;

-- Pending events. Accepting inserts a row once, and the delivery of its event deletes it.
CREATE TABLE {schema}.events (
    id              bigint PRIMARY KEY DEFAULT nextval('{schema}.event_ids'),
    created_at      bigint NOT NULL,               -- Unix seconds, as Intercom is told
    accepted_at     bigint NOT NULL,               -- Unix milliseconds; of the redrive, if there was one
    due_at          bigint,                        -- Unix milliseconds; NULL: never put back, due at once
    -- 0: never admitted; 1: its bytes are final; 2: redriven after Intercom refused it; 3: never, and
    -- a rule derived it.
    stage           smallint NOT NULL DEFAULT 0,
    origin          bigint NOT NULL,               -- random number of the process that accepted it; 0: unknown
    attempts        bigint NOT NULL DEFAULT 0,
    last_failure    text,                          -- why it was put back last, in words
    last_status     integer,                       -- HTTP status of that answer
    last_request_id text,                          -- Intercom's id of that request
    -- An operator removed the event before the deliverer read it. The row stays until then, for the
    -- counts.
    removed         boolean NOT NULL DEFAULT false,
    body            json NOT NULL                  -- what is sent, byte for byte
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX events_put_back ON {schema}.events (due_at, id) WHERE due_at IS NOT NULL;
-- A takeover reads the slots of these.
CREATE INDEX events_with_slot ON {schema}.events (id) WHERE stage IN (1, 2);
-- Admission has put these off. The deliverer wants to know the earliest second among them.
CREATE INDEX events_deferred ON {schema}.events (created_at)
    WHERE due_at IS NOT NULL AND stage IN (0, 3);

-- Dead letters, under the ids that they had as events.
CREATE TABLE {schema}.letters (
    id              bigint PRIMARY KEY,
    reason          text NOT NULL,
    created_at      bigint NOT NULL,
    accepted_at     bigint NOT NULL,
    died_at         bigint NOT NULL,               -- Unix milliseconds
    admitted        boolean NOT NULL,              -- an attempt may have arrived
    origin          bigint NOT NULL,
    attempts        bigint NOT NULL,
    last_failure    text,
    last_status     integer,
    last_request_id text,
    body            json NOT NULL
);

-- Slots in which events left: contact, event name and second. Written by the settling statement.
CREATE TABLE {schema}.used_slots (
    keep_until      bigint NOT NULL,               -- Unix seconds
    key             bigint NOT NULL,               -- 64 bits of SipHash-1-3 of contact and name
    second          bigint NOT NULL,               -- Unix seconds
    PRIMARY KEY (keep_until, key, second)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);

-- One row: who delivers. All that the deliverer writes locks this row and compares the epoch.
CREATE TABLE {schema}.deliverer (
    only_row        boolean PRIMARY KEY CHECK (only_row),
    epoch           bigint NOT NULL,               -- grows by one whenever another engine delivers
    owner           text NOT NULL,
    since           bigint NOT NULL,               -- Unix milliseconds, by the deliverer's clock
    released        boolean NOT NULL               -- the deliverer has handed over
);
INSERT INTO {schema}.deliverer VALUES (true, 0, '', 0, true);

-- The progress of delivery. The row with the highest number counts. Each write of the deliverer
-- inserts a row and deletes the one before. So reading the newest row is quick, however many
-- versions an old snapshot elsewhere keeps alive. A standby watches whether the number grows.
CREATE TABLE {schema}.progress (
    n               bigint PRIMARY KEY,
    epoch           bigint NOT NULL,
    cursor          bigint NOT NULL,               -- all visible events up to this id were read ...
    gap_from        bigint[] NOT NULL,             -- ... but for these ranges, which may yet become visible
    gap_to          bigint[] NOT NULL,
    low             bigint NOT NULL,               -- no event that was read and never put back has a lower id
    read            bigint NOT NULL,               -- events that were read
    delivered       bigint NOT NULL,
    buried          bigint NOT NULL,               -- events that became dead letters, but for table operations
    redriven        bigint NOT NULL,               -- dead letters that became events, but for table operations
    purged          bigint NOT NULL,               -- dead letters that were deleted, but for table operations
    derived         bigint NOT NULL,               -- events that rules made of others
    withheld        bigint NOT NULL,               -- events that were deleted for want of consent
    dropped         bigint NOT NULL,               -- events that were deleted by a rule
    erased          bigint NOT NULL,               -- events and letters of erased contacts, but for operations
    erased_letters  bigint NOT NULL,               -- the letters among them
    moved           bigint NOT NULL,
    collided        bigint NOT NULL,
    clock           bigint NOT NULL,               -- Unix milliseconds by the deliverer's even clock
    token           bigint NOT NULL                -- random number of the write
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
INSERT INTO {schema}.progress VALUES (0, 0, 0, '{}', '{}', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

-- What operators did since the last takeover, which adds it to the progress.
CREATE TABLE {schema}.operations (
    id              bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    redriven        bigint NOT NULL DEFAULT 0,
    purged          bigint NOT NULL DEFAULT 0,
    buried          bigint NOT NULL DEFAULT 0,
    erased          bigint NOT NULL DEFAULT 0,
    erased_letters  bigint NOT NULL DEFAULT 0
);

-- One row: the bounds, and the key of the tombstones, which is as secret as the tables.
CREATE TABLE {schema}.settings (
    only_row        boolean PRIMARY KEY CHECK (only_row),
    capacity        bigint,                        -- how many events may be pending; NULL: any number
    tombstone_key   bytea NOT NULL,
    erasures        bigint NOT NULL                -- grows with each change of the tombstones
);
INSERT INTO {schema}.settings
VALUES (true, NULL, decode(md5(gen_random_uuid()::text || gen_random_uuid()::text), 'hex'), 0);

-- Identifiers of erased contacts, as keyed hashes: 128 bits of SipHash-2-4.
CREATE TABLE {schema}.tombstones (
    tombstone       bytea PRIMARY KEY,
    erased_at       bigint NOT NULL                -- Unix milliseconds
);

CREATE FUNCTION {schema}.now_millis() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- Returns true if so many events fit, and raises an error else.
CREATE FUNCTION {schema}.expect_room(number bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    room    bigint;
    far     {schema}.progress;
    held    bigint;
    unread  bigint;
BEGIN
    SELECT capacity INTO room FROM {schema}.settings;
    IF room IS NULL THEN
        RETURN true;
    END IF;
    IF number > room THEN
        RAISE EXCEPTION 'these are % events, and the outbox holds % at most', number, room
            USING ERRCODE = 'IC004', HINT = 'Raise the capacity of the outbox.';
    END IF;
    SELECT * INTO far FROM {schema}.progress ORDER BY n DESC LIMIT 1;
    SELECT far.read - far.delivered - far.buried + far.redriven - far.withheld - far.dropped
           - (far.erased - far.erased_letters)
           + coalesce(sum(redriven - buried - (erased - erased_letters)), 0)
      INTO held FROM {schema}.operations;
    -- No more events wait unread than the sequence has given ids.
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END - far.cursor INTO unread
      FROM {schema}.event_ids;
    SELECT unread + coalesce(sum(t - f + 1), 0) INTO unread
      FROM unnest(far.gap_from, far.gap_to) AS gap (f, t);
    IF held + unread + number <= room THEN
        RETURN true;
    END IF;
    -- Rolled-back transactions took ids too. So the events are counted.
    SELECT count(*) INTO unread
      FROM (SELECT FROM {schema}.events WHERE id > far.cursor
             LIMIT greatest(room - held, 0) + 1) AS event;
    SELECT unread + count(*) INTO unread
      FROM unnest(far.gap_from, far.gap_to) AS gap (f, t)
      JOIN {schema}.events AS event ON event.id BETWEEN gap.f AND gap.t;
    IF held + unread + number > room THEN
        RAISE EXCEPTION 'the outbox is full: it holds % events at most', room
            USING ERRCODE = 'IC003', HINT = 'See why events are not delivered, or raise the capacity.';
    END IF;
    RETURN true;
END $$;

-- Accepts events: finished bodies, in the bytes of the request. They exist exactly if the
-- transaction commits. It returns their ids. Call it last in a transaction, and commit soon.
CREATE FUNCTION {schema}.accept(bodies json[], origin bigint DEFAULT 0) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seconds bigint[];
    problem text;
    ids     bigint[];
BEGIN
    -- A transaction has its own id before it takes ids of events. By that the deliverer knows whether
    -- a missing event may still become visible.
    PERFORM pg_current_xact_id();
    SELECT array_agg(second ORDER BY place),
           (array_agg(code || 'body ' || place || ' ' || what ORDER BY place)
                FILTER (WHERE what IS NOT NULL))[1]
      INTO seconds, problem
      FROM (
        SELECT place,
               CASE WHEN octet_length(body::text) > 65536 THEN 'IC002' ELSE 'IC001' END AS code,
               CASE
                   WHEN body IS NULL OR json_typeof(body) <> 'object' THEN 'is not a JSON object'
                   WHEN octet_length(body::text) > 65536 THEN 'has more than 64 KiB'
                   WHEN coalesce(json_typeof(event_name), '') <> 'string' OR event_name::text = '""'
                       THEN 'has no text `event_name`'
                   WHEN coalesce(json_typeof(created_at), '') <> 'number'
                        OR created_at::text !~ '^\s*(0|-?[1-9][0-9]{0,17})\s*$'
                       THEN 'has no whole number `created_at` of Unix seconds'
                   -- A record does not tell what is null from what is not there.
                   WHEN position('null' IN body::text) > 0 AND 'null' IN (
                            json_typeof(safe -> 'user_id'), json_typeof(safe -> 'email'),
                            json_typeof(safe -> 'id'))
                       THEN 'has a `user_id`, `email` or `id` that is not a text'
                   WHEN position('null' IN body::text) > 0 AND json_typeof(safe -> 'metadata') = 'null'
                       THEN 'has `metadata` that is not a JSON object'
                   WHEN coalesce(user_id, email, id) IS NULL
                       THEN 'names no contact by `user_id`, `email` or `id`'
                   WHEN coalesce(json_typeof(user_id), 'string') <> 'string'
                        OR coalesce(json_typeof(email), 'string') <> 'string'
                        OR coalesce(json_typeof(id), 'string') <> 'string'
                       THEN 'has a `user_id`, `email` or `id` that is not a text'
                   WHEN coalesce(json_typeof(metadata), 'object') <> 'object'
                       THEN 'has `metadata` that is not a JSON object'
               END AS what,
               CASE WHEN created_at::text ~ '^\s*-?[0-9]{1,18}\s*$' THEN created_at::text::bigint END
                   AS second
          FROM unnest(bodies) WITH ORDINALITY AS given (body, place),
               -- PostgreSQL cannot read NUL or half a character in a text, which a body may have. Here
               -- only the kinds of the members matter.
               LATERAL (SELECT CASE
                   WHEN body IS NULL OR json_typeof(body) <> 'object' THEN '{}'
                   WHEN position('\u' IN body::text) > 0 THEN regexp_replace(
                       body::text, '(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\1?', 'g')::json
                   ELSE body
               END AS safe) AS given_safe,
               json_to_record(safe) AS member (
                   event_name json, created_at json, user_id json, email json, id json, metadata json)
      ) AS checked;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', substr(problem, 6) USING ERRCODE = left(problem, 5);
    END IF;
    PERFORM {schema}.expect_room(cardinality(bodies));
    WITH inserted AS (
        INSERT INTO {schema}.events (created_at, accepted_at, origin, body)
        SELECT second, {schema}.now_millis(), accept.origin, body
          FROM unnest(bodies, seconds) WITH ORDINALITY AS event (body, second, place)
         ORDER BY place
        RETURNING events.id
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO ids FROM inserted;
    RETURN ids;
END $$;

-- Begins a turn to deliver. It returns the new epoch, or NULL if the last one is not over.
CREATE FUNCTION {schema}.begin_turn(seen_epoch bigint, seen_n bigint, new_owner text, began bigint)
    RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present {schema}.deliverer;
    far     {schema}.progress;
BEGIN
    -- A session whose process was stopped within a statement could keep the lock for ever.
    PERFORM set_config('lock_timeout', '1500ms', true);
    SELECT * INTO present FROM {schema}.deliverer WHERE epoch = seen_epoch FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Reads after taking the lock: the deliverer may have written meanwhile.
    SELECT * INTO far FROM {schema}.progress ORDER BY n DESC LIMIT 1;
    IF NOT present.released AND far.n <> seen_n THEN
        RETURN NULL;
    END IF;
    UPDATE {schema}.deliverer
       SET epoch = present.epoch + 1, owner = new_owner, since = began, released = false;
    WITH gone AS (DELETE FROM {schema}.operations RETURNING *),
    done AS (
        SELECT coalesce(sum(redriven), 0) AS redriven, coalesce(sum(purged), 0) AS purged,
               coalesce(sum(buried), 0) AS buried, coalesce(sum(erased), 0) AS erased,
               coalesce(sum(erased_letters), 0) AS erased_letters
          FROM gone
    )
    INSERT INTO {schema}.progress
    SELECT far.n + 1, present.epoch + 1, far.cursor, far.gap_from, far.gap_to, far.low, far.read,
           far.delivered, far.buried + done.buried, far.redriven + done.redriven,
           far.purged + done.purged, far.derived, far.withheld, far.dropped,
           far.erased + done.erased, far.erased_letters + done.erased_letters, far.moved,
           far.collided, greatest(far.clock, {schema}.now_millis()), 0
      FROM done;
    DELETE FROM {schema}.progress WHERE n <= far.n;
    DELETE FROM {schema}.events AS event
     WHERE removed AND id <= far.cursor AND NOT EXISTS (
               SELECT FROM unnest(far.gap_from, far.gap_to) AS gap (f, t)
                WHERE event.id BETWEEN gap.f AND gap.t);
    RETURN present.epoch + 1;
END $$;

-- Removes events. The row of an event that the deliverer has not read yet stays, for the counts.
CREATE FUNCTION {schema}.remove(ids bigint[], far {schema}.progress) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE {schema}.events AS event
       SET removed = true, stage = 0, due_at = NULL, attempts = 0, last_failure = NULL,
           last_status = NULL, last_request_id = NULL, body = '{}'
     WHERE id = ANY (ids)
       AND (id > far.cursor OR EXISTS (
               SELECT FROM unnest(far.gap_from, far.gap_to) AS gap (f, t)
                WHERE event.id BETWEEN gap.f AND gap.t));
    DELETE FROM {schema}.events WHERE id = ANY (ids) AND NOT removed;
END $$;

-- Erases events and letters, and keeps tombstones. It returns the ids of the events, and the number of
-- letters and the version of the tombstones.
CREATE FUNCTION {schema}.erase(chosen bigint[], hashes bytea[], now bigint,
                               OUT ids bigint[], OUT erased_letters bigint, OUT version bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    far     {schema}.progress;
BEGIN
    -- The deliverer writes nothing meanwhile.
    PERFORM FROM {schema}.deliverer FOR UPDATE;
    SELECT * INTO far FROM {schema}.progress ORDER BY n DESC LIMIT 1;
    SELECT coalesce(array_agg(id), '{}') INTO ids
      FROM {schema}.events WHERE id = ANY (chosen) AND NOT removed;
    PERFORM {schema}.remove(ids, far);
    WITH gone AS (DELETE FROM {schema}.letters WHERE id = ANY (chosen) RETURNING id)
    SELECT count(*) INTO erased_letters FROM gone;
    INSERT INTO {schema}.operations (erased, erased_letters)
    VALUES (cardinality(ids) + erased_letters, erased_letters);
    INSERT INTO {schema}.tombstones (tombstone, erased_at)
    SELECT hash, now FROM unnest(hashes) AS hash ON CONFLICT DO NOTHING;
    UPDATE {schema}.settings SET erasures = erasures + 1 RETURNING erasures INTO version;
END $$;

-- Makes pending events dead letters: these, or all. It returns their ids. Of those that the caller
-- leases, an attempt may have arrived.
CREATE FUNCTION {schema}.bury(chosen bigint[], leased bigint[], skew bigint) RETURNS bigint[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    far     {schema}.progress;
    ids     bigint[];
BEGIN
    -- The deliverer writes nothing meanwhile.
    PERFORM FROM {schema}.deliverer FOR UPDATE;
    SELECT * INTO far FROM {schema}.progress ORDER BY n DESC LIMIT 1;
    WITH buried AS (
        INSERT INTO {schema}.letters (id, reason, created_at, accepted_at, died_at, admitted, origin,
                                      attempts, last_failure, last_status, last_request_id, body)
        SELECT id, 'buried', created_at, accepted_at, {schema}.now_millis() + skew,
               stage = 1 OR id = ANY (leased), origin, attempts, last_failure, last_status,
               last_request_id, body
          FROM {schema}.events
         WHERE NOT removed AND (chosen IS NULL OR id = ANY (chosen))
        RETURNING id
    )
    SELECT coalesce(array_agg(id), '{}') INTO ids FROM buried;
    PERFORM {schema}.remove(ids, far);
    IF cardinality(ids) > 0 THEN
        INSERT INTO {schema}.operations (buried) VALUES (cardinality(ids));
    END IF;
    RETURN ids;
END $$;

-- The name in a body, for people.
CREATE FUNCTION {schema}.event_name(body json) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(body::text, '(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\1?', 'g')::json
           ->> 'event_name'
$$;

-- For people: what is pending, and why.
CREATE VIEW {schema}.pending_events AS
SELECT id,
       {schema}.event_name(body) AS event_name,
       to_timestamp(created_at) AS created_at,
       to_timestamp(accepted_at / 1000.0) AS accepted_at,
       attempts,
       greatest(0, (coalesce(due_at, 0) - {schema}.now_millis()) / 1000) AS due_in_seconds,
       last_failure,
       last_status,
       last_request_id,
       body
  FROM {schema}.events
 WHERE NOT removed
 ORDER BY id;

-- For people: the dead letters, and why they died.
CREATE VIEW {schema}.dead_letters AS
SELECT id,
       {schema}.event_name(body) AS event_name,
       to_timestamp(created_at) AS created_at,
       reason,
       to_timestamp(died_at / 1000.0) AS died_at,
       attempts,
       last_failure,
       last_status,
       last_request_id,
       body
  FROM {schema}.letters
 ORDER BY id;

-- For people: the counts since the creation of the outbox, and the process that delivers.
CREATE VIEW {schema}.counts AS
SELECT accepted,
       derived,
       delivered,
       dead,
       accepted + derived - delivered - dead - withheld - dropped - all_erased AS pending,
       withheld,
       dropped,
       all_erased AS erased,
       dead - all_purged AS dead_letters,
       moved,
       collided,
       epoch,
       CASE WHEN NOT released THEN owner END AS deliverer,
       to_timestamp(since / 1000.0) AS since
  FROM (SELECT * FROM {schema}.progress ORDER BY n DESC LIMIT 1) AS far,
       LATERAL (SELECT owner, since, released FROM {schema}.deliverer) AS who,
       LATERAL (SELECT far.buried - far.redriven - far.erased_letters
                       + coalesce(sum(buried - redriven - erased_letters), 0)::bigint AS dead,
                       far.purged + coalesce(sum(purged), 0)::bigint AS all_purged,
                       far.erased + coalesce(sum(erased), 0)::bigint AS all_erased
                  FROM {schema}.operations) AS done,
       LATERAL (SELECT far.read - far.derived
                     + (SELECT count(*) FROM {schema}.events WHERE id > far.cursor)
                     + (SELECT count(*) FROM unnest(far.gap_from, far.gap_to) AS gap (f, t)
                          JOIN {schema}.events AS event ON event.id BETWEEN gap.f AND gap.t)
                       AS accepted) AS fresh;
