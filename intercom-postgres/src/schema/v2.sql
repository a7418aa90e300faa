-- Version 2: the names of sensitive metadata keys stand beside each body, and the views mask their
-- values. Each batch of an outbox has a number, and the store accepts it once.

ALTER TABLE {schema}.events ADD COLUMN sensitive text[];  -- names of sensitive metadata keys; NULL: none
ALTER TABLE {schema}.letters ADD COLUMN sensitive text[];

-- A body in which PostgreSQL can read every text: without NUL and half a character.
CREATE FUNCTION {schema}.legible(body json) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN position('\u' IN body::text) > 0 THEN regexp_replace(
            body::text, '(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\1?', 'g')::json
        ELSE body
    END
$$;

-- A JSON array of key names as an array. It fails where that is anything else.
CREATE FUNCTION {schema}.key_names(names json) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(name) FROM json_array_elements_text(names) AS name
$$;

-- A body for people: without the values of sensitive keys.
CREATE FUNCTION {schema}.masked(body json, sensitive text[]) RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN sensitive IS NULL OR json_typeof({schema}.legible(body) -> 'metadata') IS DISTINCT FROM 'object'
            THEN body
        ELSE (
            SELECT json_object_agg(member.key, CASE WHEN member.key = 'metadata' THEN (
                       SELECT json_object_agg(inner_.key, CASE WHEN inner_.key = ANY (sensitive)
                                  THEN '"[sensitive]"' ELSE inner_.value END)
                         FROM json_each(member.value) AS inner_) ELSE member.value END)
              FROM json_each({schema}.legible(body)) AS member)
    END
$$;

-- Accepts events: finished bodies, in the bytes of the request. They exist exactly if the
-- transaction commits. `sensitive` has for each body a JSON array of the metadata keys whose values
-- are sensitive, or NULL. It returns the ids of the events. Call it last in a transaction, and
-- commit soon.
DROP FUNCTION {schema}.accept(json[], bigint);
CREATE FUNCTION {schema}.accept(bodies json[], origin bigint DEFAULT 0, sensitive json[] DEFAULT NULL)
    RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now     bigint := {schema}.now_millis();
    place   integer := 0;
    body    json;
    safe    json;           -- the body, in which each text can be read
    event_name json;
    second  json;
    user_id json;
    email   json;
    id      json;
    metadata json;
    problem text;
    names   json;
    keys    text[];
    given   bigint;
    ids     bigint[] := '{}';
BEGIN
    IF cardinality(sensitive) <> cardinality(bodies) THEN
        RAISE EXCEPTION 'these are % bodies, and `sensitive` is of %', cardinality(bodies),
            cardinality(sensitive) USING ERRCODE = 'IC001', HINT = 'Give NULL for a body without such keys.';
    END IF;
    -- A transaction has its own id before it takes ids of events. By that the deliverer knows whether
    -- a missing event may still become visible.
    PERFORM pg_current_xact_id();
    IF (SELECT capacity IS NOT NULL FROM {schema}.settings) THEN
        PERFORM {schema}.expect_room(cardinality(bodies));
    END IF;
    -- A loop, because a query over the bodies takes far longer to start than to run.
    FOREACH body IN ARRAY bodies LOOP
        place := place + 1;
        IF body IS NULL OR json_typeof(body) <> 'object' THEN
            RAISE EXCEPTION 'body % is not a JSON object', place USING ERRCODE = 'IC001';
        END IF;
        IF octet_length(body::text) > 65536 THEN
            RAISE EXCEPTION 'body % has more than 64 KiB', place USING ERRCODE = 'IC002';
        END IF;
        IF position('\u' IN body::text) > 0 THEN
            safe := {schema}.legible(body);
        ELSE
            safe := body;
        END IF;
        -- Each of these reads the whole body.
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
        names := sensitive[place];
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
        VALUES (second::text::bigint, now, accept.origin, body, keys) RETURNING events.id INTO given;
        ids := ids || given;
    END LOOP;
    RETURN ids;
END $$;

-- The batches that outboxes accepted. A batch inserts its row with its events. If the outbox gets no
-- answer, it sends a copy of the batch, and keeps the row, so that a late copy finds it.
CREATE TABLE {schema}.batches (
    acceptor        bigint NOT NULL,               -- random number
    number          bigint NOT NULL,               -- grows
    accepted_at     bigint NOT NULL,               -- Unix milliseconds
    PRIMARY KEY (acceptor, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);

-- Deletes what nobody needs: the batches before this one, which had their answers, or, at the first
-- one, those of outboxes that are no more. For the former it reads the index, because the table may
-- have many deleted rows. Some calls may have failed, so it looks further back than one of them.
CREATE FUNCTION {schema}.forget_batches(by_acceptor bigint, batch bigint, now bigint) RETURNS void
    LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF batch > 1 THEN
        DELETE FROM {schema}.batches
         WHERE acceptor = by_acceptor AND number >= batch - 1024 AND number < batch;
    ELSE
        DELETE FROM {schema}.batches WHERE (acceptor, number) IN (
            SELECT acceptor, number FROM {schema}.batches WHERE accepted_at < now - 86400000
             LIMIT 10000 FOR UPDATE SKIP LOCKED);
    END IF;
END $$;

-- Accepts a batch. It returns false if a copy of it was accepted before.
CREATE FUNCTION {schema}.accept_once(by_acceptor bigint, batch bigint, by_origin bigint, skew bigint,
                                     seconds bigint[], bodies text[], sensitive text[])
    RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    now     bigint := {schema}.now_millis() + skew;
BEGIN
    -- Waits for a copy whose transaction has not ended. This also gives the transaction its own id
    -- before it takes ids of events. By that the deliverer knows whether a missing event may still
    -- become visible.
    INSERT INTO {schema}.batches VALUES (by_acceptor, batch, now) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF cardinality(bodies) > 0 THEN
        PERFORM {schema}.expect_room(cardinality(bodies));
        INSERT INTO {schema}.events (created_at, accepted_at, origin, body, sensitive)
        SELECT second, now, by_origin, body::json, {schema}.key_names(keys::json)
          FROM unnest(seconds, bodies, sensitive) WITH ORDINALITY AS event (second, body, keys, place)
         ORDER BY place;
    END IF;
    IF batch % 64 = 1 THEN
        PERFORM {schema}.forget_batches(by_acceptor, batch, now);
    END IF;
    RETURN true;
END $$;

-- Removes events. The row of an event that the deliverer has not read yet stays, for the counts.
CREATE OR REPLACE FUNCTION {schema}.remove(ids bigint[], far {schema}.progress) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE {schema}.events AS event
       SET removed = true, stage = 0, due_at = NULL, attempts = 0, last_failure = NULL,
           last_status = NULL, last_request_id = NULL, body = '{}', sensitive = NULL
     WHERE id = ANY (ids)
       AND (id > far.cursor OR EXISTS (
               SELECT FROM unnest(far.gap_from, far.gap_to) AS gap (f, t)
                WHERE event.id BETWEEN gap.f AND gap.t));
    DELETE FROM {schema}.events WHERE id = ANY (ids) AND NOT removed;
END $$;

-- Makes pending events dead letters: these, or all. It returns their ids. Of those that the caller
-- leases, an attempt may have arrived.
CREATE OR REPLACE FUNCTION {schema}.bury(chosen bigint[], leased bigint[], skew bigint) RETURNS bigint[]
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
                                      attempts, last_failure, last_status, last_request_id, body,
                                      sensitive)
        SELECT id, 'buried', created_at, accepted_at, {schema}.now_millis() + skew,
               stage = 1 OR id = ANY (leased), origin, attempts, last_failure, last_status,
               last_request_id, body, sensitive
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
CREATE OR REPLACE FUNCTION {schema}.event_name(body json) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT {schema}.legible(body) ->> 'event_name'
$$;

-- For people: what is pending, and why.
CREATE OR REPLACE VIEW {schema}.pending_events AS
SELECT id,
       {schema}.event_name(body) AS event_name,
       to_timestamp(created_at) AS created_at,
       to_timestamp(accepted_at / 1000.0) AS accepted_at,
       attempts,
       greatest(0, (coalesce(due_at, 0) - {schema}.now_millis()) / 1000) AS due_in_seconds,
       last_failure,
       last_status,
       last_request_id,
       {schema}.masked(body, sensitive) AS body
  FROM {schema}.events
 WHERE NOT removed
 ORDER BY id;

-- For people: the dead letters, and why they died.
CREATE OR REPLACE VIEW {schema}.dead_letters AS
SELECT id,
       {schema}.event_name(body) AS event_name,
       to_timestamp(created_at) AS created_at,
       reason,
       to_timestamp(died_at / 1000.0) AS died_at,
       attempts,
       last_failure,
       last_status,
       last_request_id,
       {schema}.masked(body, sensitive) AS body
  FROM {schema}.letters
 ORDER BY id;
