-- Version 2: the names of sensitive metadata keys stand beside each body, and the views mask their values.

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

-- Accepts events: finished bodies, as they are sent. They exist exactly if the transaction commits.
-- `sensitive` has for each body a JSON array of the metadata keys whose values are sensitive, or NULL.
-- It returns the ids of the events. Call it last in a transaction, and commit soon.
DROP FUNCTION {schema}.accept(json[], bigint);
CREATE FUNCTION {schema}.accept(bodies json[], origin bigint DEFAULT 0, sensitive json[] DEFAULT NULL)
    RETURNS bigint[]
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
                   ELSE {schema}.legible(body)
               END AS safe) AS given_safe,
               json_to_record(safe) AS member (
                   event_name json, created_at json, user_id json, email json, id json, metadata json)
      ) AS checked;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', substr(problem, 6) USING ERRCODE = left(problem, 5);
    END IF;
    IF cardinality(sensitive) <> cardinality(bodies) THEN
        RAISE EXCEPTION 'these are % bodies, and `sensitive` is of %', cardinality(bodies),
            cardinality(sensitive) USING ERRCODE = 'IC001', HINT = 'Give NULL for a body without such keys.';
    END IF;
    SELECT place INTO problem FROM unnest(sensitive) WITH ORDINALITY AS given (keys, place)
     WHERE CASE WHEN json_typeof(keys) <> 'array' OR {schema}.legible(keys)::text <> keys::text THEN true
                ELSE EXISTS (SELECT FROM json_array_elements(keys) AS name
                              WHERE json_typeof(name) <> 'string') END
     ORDER BY place LIMIT 1;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '`sensitive` % is not a JSON array of metadata keys', problem USING ERRCODE = 'IC001';
    END IF;
    PERFORM {schema}.expect_room(cardinality(bodies));
    WITH inserted AS (
        INSERT INTO {schema}.events (created_at, accepted_at, origin, body, sensitive)
        SELECT second, {schema}.now_millis(), accept.origin, body, {schema}.key_names(keys)
          FROM unnest(bodies, seconds, sensitive) WITH ORDINALITY AS event (body, second, keys, place)
         ORDER BY place
        RETURNING events.id
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO ids FROM inserted;
    RETURN ids;
END $$;

-- Removes events. Of those that the deliverer has not read yet, a row stays to be counted.
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

-- For people: what was given up, and why.
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
