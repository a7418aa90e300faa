-- Version 3: the most frequent statements of the deliverer are functions. PostgreSQL plans the
-- statements of a function once a session, and not for every call. Each function fixes its plans,
-- because statistics lie about a table that fills and empties all day. Used slots have a row a
-- settlement.

-- Slots in which events left: contacts with event names, and seconds. Written with the settlement.
ALTER TABLE {schema}.used_slots RENAME TO used_slots_before;
CREATE TABLE {schema}.used_slots (
    keep_until      bigint NOT NULL,               -- Unix seconds
    keys            bigint[] NOT NULL,             -- each 64 bits of SipHash-1-3 of contact and name
    seconds         bigint[] NOT NULL              -- Unix seconds, one a key
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX used_slots_kept ON {schema}.used_slots (keep_until);
INSERT INTO {schema}.used_slots
SELECT keep_until, array_agg(key), array_agg(second) FROM {schema}.used_slots_before GROUP BY keep_until;
DROP TABLE {schema}.used_slots_before;

-- A takeover reads the slots of these.
DROP INDEX {schema}.events_with_slot;
CREATE INDEX events_with_slot ON {schema}.events (id) WHERE stage = 1;
-- Admission has put these off, or an operator has redriven them. The deliverer wants to know the
-- earliest second among them.
DROP INDEX {schema}.events_deferred;
CREATE INDEX events_deferred ON {schema}.events (created_at) WHERE due_at IS NOT NULL AND stage <> 1;

-- What changes when a standby becomes the primary, and when the server recovers from a crash: the timeline, and since when
-- there are statistics. A standby has none: nothing can be written there.
CREATE FUNCTION {schema}.history() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE
        left(pg_walfile_name(pg_current_wal_lsn()), 8) || ' '
        || coalesce(extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text, '') END
$$;

-- How many events there are in these ranges of ids. A scan of the table would read all deleted rows that no vacuum has
-- removed.
CREATE FUNCTION {schema}.number_between(gap_from bigint[], gap_to bigint[]) RETURNS bigint LANGUAGE sql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT coalesce(sum(number), 0)::bigint
      FROM unnest(gap_from, gap_to) AS gap (f, t),
           LATERAL (SELECT count(*) AS number FROM {schema}.events WHERE id BETWEEN gap.f AND gap.t) AS there
$$;

-- Returns true if so many events fit, and raises an error else.
CREATE OR REPLACE FUNCTION {schema}.expect_room(number bigint) RETURNS boolean
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
    unread := unread + {schema}.number_between(far.gap_from, far.gap_to);
    IF held + unread + number > room THEN
        RAISE EXCEPTION 'the outbox is full: it holds % events at most', room
            USING ERRCODE = 'IC003', HINT = 'See why events are not delivered, or raise the capacity.';
    END IF;
    RETURN true;
END $$;

-- Accepts one body, or says what is wrong with it. `place` is its place among those of the call.
CREATE FUNCTION {schema}.accept_body(body json, names json, place integer, origin bigint)
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    safe    json;           -- the body, in which each text can be read
    event_name json;
    second  json;
    user_id json;
    email   json;
    id      json;
    metadata json;
    problem text;
    keys    text[];
    given   bigint;
BEGIN
    IF body IS NULL OR json_typeof(body) <> 'object' THEN
        RAISE EXCEPTION 'body % is not a JSON object', place USING ERRCODE = 'IC001';
    END IF;
    IF octet_length(body::text) > 65536 THEN
        RAISE EXCEPTION 'body % has more than 64 KiB', place USING ERRCODE = 'IC002';
    END IF;
    safe := {schema}.legible(body);
    event_name := safe -> 'event_name';
    second := safe -> 'created_at';
    user_id := safe -> 'user_id';
    email := safe -> 'email';
    id := safe -> 'id';
    metadata := safe -> 'metadata';
    problem := CASE
        WHEN json_typeof(event_name) IS DISTINCT FROM 'string' OR event_name::text = '""'
            THEN 'has no text `event_name`'
        WHEN json_typeof(second) IS DISTINCT FROM 'number' OR second::text !~ '^(0|-?[1-9][0-9]{0,17})$'
            THEN 'has no whole number `created_at` of Unix seconds'
        WHEN coalesce(user_id, email, id) IS NULL
            THEN 'names no contact by `user_id`, `email` or `id`'
        WHEN json_typeof(user_id) <> 'string' OR json_typeof(email) <> 'string' OR json_typeof(id) <> 'string'
            THEN 'has a `user_id`, `email` or `id` that is not a text'
        WHEN json_typeof(metadata) <> 'object'
            THEN 'has `metadata` that is not a JSON object'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'body % %', place, problem USING ERRCODE = 'IC001';
    END IF;
    IF names IS NULL THEN
        keys := NULL;
    ELSIF json_typeof(names) <> 'array' OR {schema}.legible(names)::text <> names::text
          OR EXISTS (SELECT FROM json_array_elements(CASE json_typeof(names) WHEN 'array' THEN names END)
                                 AS name WHERE json_typeof(name) <> 'string') THEN
        RAISE EXCEPTION '`sensitive` % is not a JSON array of metadata keys', place
            USING ERRCODE = 'IC001';
    ELSE
        keys := {schema}.key_names(names);
    END IF;
    INSERT INTO {schema}.events (created_at, accepted_at, origin, body, sensitive)
    VALUES (second::text::bigint, {schema}.now_millis(), accept_body.origin, body, keys)
    RETURNING events.id INTO given;
    RETURN given;
END $$;

-- Accepts events: finished bodies, in the bytes of the request. They exist exactly if the
-- transaction commits. `sensitive` has for each body a JSON array of the metadata keys whose values
-- are sensitive, or NULL. It returns the ids of the events. Call it last in a transaction, and
-- commit soon.
CREATE OR REPLACE FUNCTION {schema}.accept(bodies json[], origin bigint DEFAULT 0, sensitive json[] DEFAULT NULL)
    RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    place   integer := 0;
    body    json := bodies[1];
    roomy   boolean := false;
    ids     bigint[];
BEGIN
    LOOP
        -- Most calls have one body, of which this condition is true. One statement takes half as long as the many steps
        -- that find out what is wrong with a body. Each arrow reads the whole of it.
        --
        -- A transaction has its own id before it takes ids of events. By that the deliverer knows whether
        -- a missing event may still become visible. A plan that knows no values looks at the condition first.
        INSERT INTO {schema}.events (created_at, accepted_at, origin, body)
        SELECT (body -> 'created_at')::text::bigint, {schema}.now_millis(), accept.origin, body
         WHERE pg_current_xact_id() IS NOT NULL
           AND (roomy OR (SELECT capacity FROM {schema}.settings WHERE only_row) IS NULL)
           AND CASE
                   WHEN cardinality(bodies) <> 1 OR cardinality(sensitive) <> 1 OR sensitive[1] IS NOT NULL
                        OR position('\u' IN body::text) > 0 OR octet_length(body::text) > 65536 THEN false
                   ELSE (body -> 'event_name')::text LIKE '"_%"'
                        AND ltrim((body -> 'created_at')::text, '0123456789') = ''
                        AND octet_length((body -> 'created_at')::text) <= 18
                        AND (json_typeof(body -> 'user_id') = 'string'
                                 AND position('"email"' IN body::text) = 0 AND position('"id"' IN body::text) = 0
                             OR concat(json_typeof(body -> 'user_id'), json_typeof(body -> 'email'),
                                       json_typeof(body -> 'id'))
                                IN ('string', 'stringstring', 'stringstringstring'))
                        AND coalesce(json_typeof(body -> 'metadata'), 'object') = 'object'
               END
        RETURNING ARRAY[events.id] INTO ids;
        IF ids IS NOT NULL THEN
            RETURN ids;
        END IF;
        EXIT WHEN roomy;
        PERFORM {schema}.expect_room(cardinality(bodies));
        roomy := true;
        EXIT WHEN cardinality(bodies) <> 1;
    END LOOP;
    IF bodies IS NULL THEN
        RAISE EXCEPTION 'the array of bodies is NULL' USING ERRCODE = 'IC001';
    END IF;
    IF cardinality(sensitive) <> cardinality(bodies) THEN
        RAISE EXCEPTION 'the length of `bodies` is %, and that of `sensitive` is %', cardinality(bodies),
            cardinality(sensitive) USING ERRCODE = 'IC001', HINT = 'Give NULL for a body without such keys.';
    END IF;
    PERFORM pg_current_xact_id();
    ids := '{}';
    FOREACH body IN ARRAY bodies LOOP
        place := place + 1;
        ids := ids || {schema}.accept_body(body, sensitive[place], place, origin);
    END LOOP;
    RETURN ids;
END $$;

-- Reads on. `gap_from` and `gap_to` are the gaps; events come after the id `after`, up to `last`, `at_most` of each
-- kind; `leased` is what is leased of what was put back; `is_replay` says that this repeats what an earlier turn has read.
-- In another history than `in_history` there is no row.
--
-- The first row, of the kind 0, has the progress of transactions, the next due time, the present
-- time and the last given id. It also has the number of events that operators added, the version of
-- the tombstones, and the earliest second of deferred and redriven events. Then come events in gaps (1), events
-- after the cursor (2), and events after a put-back (3). All rows are of one snapshot, so the
-- function is stable.
CREATE FUNCTION {schema}.lease(gap_from bigint[], gap_to bigint[], after bigint, last bigint, at_most bigint,
                               now bigint, leased bigint[], is_replay boolean, in_history text)
    RETURNS TABLE (kind integer, id bigint, due_at bigint, accepted_at bigint, stage smallint, attempts bigint,
                   last_failure text, last_status integer, last_request_id text, body text, removed boolean,
                   sensitive text[])
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
    IF {schema}.history() IS DISTINCT FROM in_history THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 0, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           (SELECT due_at FROM {schema}.events WHERE due_at > now ORDER BY due_at LIMIT 1),
           {schema}.now_millis(), NULL::smallint,
           (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {schema}.event_ids),
           (SELECT coalesce(sum(redriven - buried - (erased - erased_letters)), 0)::text
              FROM {schema}.operations),
           NULL::integer, erasures::text,
           (SELECT min(created_at)::text FROM {schema}.events
             WHERE due_at IS NOT NULL AND stage <> 1 AND NOT (id = ANY (leased))),
           NULL::boolean, NULL::text[]
      FROM {schema}.settings WHERE only_row;
    IF at_most = 0 THEN
        RETURN;
    END IF;
    IF NOT is_replay AND cardinality(gap_from) > 0 THEN
        RETURN QUERY
        SELECT 1, event.*
          FROM unnest(gap_from, gap_to) AS gap (f, t),
               LATERAL (SELECT id, due_at, accepted_at, stage, attempts, last_failure, last_status, last_request_id,
               body::text, removed, sensitive FROM {schema}.events
                         WHERE id BETWEEN gap.f AND gap.t ORDER BY id LIMIT at_most) AS event
         ORDER BY event.id LIMIT at_most;
    END IF;
    IF is_replay THEN
        RETURN QUERY
        SELECT 2, id, due_at, accepted_at, stage, attempts, last_failure, last_status, last_request_id,
               body::text, removed, sensitive FROM {schema}.events
         WHERE id > after AND id <= last AND due_at IS NULL AND NOT removed AND NOT EXISTS (
               SELECT FROM unnest(gap_from, gap_to) AS gap (f, t) WHERE id BETWEEN gap.f AND gap.t)
         ORDER BY id LIMIT at_most;
    ELSE
        RETURN QUERY
        SELECT 2, id, due_at, accepted_at, stage, attempts, last_failure, last_status, last_request_id,
               body::text, removed, sensitive FROM {schema}.events WHERE id > after ORDER BY id LIMIT at_most;
    END IF;
    RETURN QUERY
    SELECT 3, id, due_at, accepted_at, stage, attempts, last_failure, last_status, last_request_id,
               body::text, removed, sensitive FROM {schema}.events
     -- Counts the events in gaps first.
     WHERE due_at <= now AND NOT (id = ANY (leased)) AND NOT EXISTS (
               SELECT FROM unnest(gap_from, gap_to) AS gap (f, t) WHERE id BETWEEN gap.f AND gap.t)
     ORDER BY due_at, id LIMIT at_most;
END $$;

-- Settles events, and stores the progress `far` with what that adds to it. Under another epoch, and in another history, it
-- changes nothing and there is no row.
--
-- `gone` are delivered events. `dead_…` are dead letters, with whether an attempt may have arrived.
-- `back_…` are events to put back. `slot_…` are kept of the events with these ids that are there.
-- It deletes slots whose end is at `forget_from` or later and before `forget_before`.
CREATE FUNCTION {schema}.settle(
    far {schema}.progress, gone bigint[],
    dead_ids bigint[], dead_reasons text[], dead_attempts bigint[], dead_failures text[],
    dead_statuses integer[], dead_requests text[], dead_admitted boolean[],
    back_ids bigint[], back_delays bigint[], back_attempts bigint[], back_failures text[],
    back_statuses integer[], back_requests text[], skew bigint,
    slot_ids bigint[], slot_kept bigint[], slot_keys bigint[], slot_seconds bigint[],
    forget_from bigint, forget_before bigint, in_history text)
    RETURNS TABLE (delivered bigint, buried bigint, transaction bigint, present bigint[])
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    now     bigint;
    found_gone bigint[] := '{}';
    found_dead bigint[] := '{}';
    found_back bigint[] := '{}';
BEGIN
    PERFORM FROM {schema}.deliverer
      WHERE only_row AND epoch = far.epoch AND {schema}.history() = in_history FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF cardinality(gone) > 0 THEN
        WITH deleted AS (
            DELETE FROM {schema}.events WHERE id = ANY (gone) AND NOT removed RETURNING id
        )
        SELECT coalesce(array_agg(id), '{}') INTO found_gone FROM deleted;
    END IF;
    IF cardinality(dead_ids) > 0 OR cardinality(back_ids) > 0 THEN
        now := greatest(far.clock, {schema}.now_millis()) + skew;
    END IF;
    -- The ids appear twice for the plan: in either order, it reads only these rows.
    IF cardinality(dead_ids) > 0 THEN
        WITH deleted AS (
            DELETE FROM {schema}.events AS event
             USING unnest(dead_ids, dead_reasons, dead_attempts, dead_failures, dead_statuses, dead_requests,
                          dead_admitted)
                   AS end_ (id, reason, attempts, failure, status, request_id, admitted)
             WHERE event.id = end_.id AND event.id = ANY (dead_ids) AND NOT event.removed
            RETURNING event.id, end_.reason, event.created_at, event.accepted_at, now AS died_at,
                      end_.admitted, event.origin, end_.attempts, end_.failure, end_.status,
                      end_.request_id, event.body, event.sensitive
        ), kept AS (
            INSERT INTO {schema}.letters (id, reason, created_at, accepted_at, died_at, admitted, origin,
                                          attempts, last_failure, last_status, last_request_id, body,
                                          sensitive)
            SELECT * FROM deleted
        )
        SELECT coalesce(array_agg(id), '{}') INTO found_dead FROM deleted;
    END IF;
    IF cardinality(back_ids) > 0 THEN
        WITH updated AS (
            UPDATE {schema}.events AS event
               SET due_at = now + new.delay, stage = 1, attempts = new.attempts,
                   last_failure = coalesce(new.failure, event.last_failure),
                   last_status = CASE WHEN new.failure IS NULL THEN event.last_status ELSE new.status END,
                   last_request_id = CASE WHEN new.failure IS NULL THEN event.last_request_id
                                          ELSE new.request_id END
              FROM unnest(back_ids, back_delays, back_attempts, back_failures, back_statuses, back_requests)
                   AS new (id, delay, attempts, failure, status, request_id)
             WHERE event.id = new.id AND event.id = ANY (back_ids) AND NOT event.removed
            RETURNING event.id
        )
        SELECT coalesce(array_agg(id), '{}') INTO found_back FROM updated;
    END IF;
    IF cardinality(slot_ids) > 0 THEN
        INSERT INTO {schema}.used_slots (keep_until, keys, seconds)
        SELECT slot.keep_until, array_agg(slot.key), array_agg(slot.second)
          FROM unnest(slot_ids, slot_kept, slot_keys, slot_seconds) AS slot (id, keep_until, key, second)
         WHERE cardinality(found_gone) + cardinality(found_dead) = cardinality(gone) + cardinality(dead_ids)
            OR slot.id = ANY (found_gone) OR slot.id = ANY (found_dead)
         GROUP BY slot.keep_until;
    END IF;
    IF forget_before > forget_from THEN
        DELETE FROM {schema}.used_slots WHERE keep_until >= forget_from AND keep_until < forget_before;
    END IF;
    DELETE FROM {schema}.progress WHERE n = far.n - 1;
    far.delivered := far.delivered + cardinality(found_gone);
    far.buried := far.buried + cardinality(found_dead);
    INSERT INTO {schema}.progress VALUES (far.*);
    RETURN QUERY SELECT far.delivered, far.buried, pg_current_xact_id()::text::bigint,
                        found_gone || found_dead || found_back;
END $$;

-- For people: the counts since the creation of the outbox, and the process that delivers.
CREATE OR REPLACE VIEW {schema}.counts AS
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
                     + {schema}.number_between(far.gap_from, far.gap_to) AS accepted) AS fresh;
