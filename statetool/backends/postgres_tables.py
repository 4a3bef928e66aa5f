"""The tables of the postgres backend and every statement on them.

Owns names, columns and SQL. `{schema}` is put in as an identifier, values are always bound. It must not know how the
statements are put together to a transaction.

Documents are kept as ASCII text of JSON (type json, not jsonb: that would refuse an escaped NUL and reorder keys), so
that no encoding of a database can change them. Instants are the server's `clock_timestamp()`: that of the moment,
where `now()` would be the transaction's start.
"""

from __future__ import annotations

from psycopg.sql import SQL

KEPT_VERSIONS = 100

# One at a time: `if not exists` alone lets two first-comers collide.
WAIT_FOR_CREATORS = SQL("SELECT pg_advisory_xact_lock(hashtextextended('statetool: tables', 0))")

# Asked first: `if not exists` wants the right to create schemas even where it is there.
FIND_SCHEMA = SQL("SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s")
CREATE_SCHEMA = SQL("CREATE SCHEMA {schema}")

CREATE_TABLES = (
    SQL("""
        CREATE TABLE IF NOT EXISTS {schema}.state (
            name text PRIMARY KEY, lineage text NOT NULL, serial bigint NOT NULL, fence bigint NOT NULL,
            sha256 text NOT NULL, body bytea NOT NULL, stored_at timestamptz NOT NULL)"""),
    SQL("""
        CREATE TABLE IF NOT EXISTS {schema}.state_version (
            name text, serial bigint, lineage text NOT NULL, fence bigint NOT NULL,
            sha256 text NOT NULL, body bytea NOT NULL, stored_at timestamptz NOT NULL, PRIMARY KEY (name, serial))"""),
    # `holder` is drawn anew for every lock; without it the lock is free. The row stays, for the fence only grows.
    SQL("""
        CREATE TABLE IF NOT EXISTS {schema}.lease (
            name text PRIMARY KEY, fence bigint NOT NULL, holder uuid, info json, expires timestamptz,
            renewed_at timestamptz, broken json)"""),
    # `batch` is drawn anew for every append, to find it again where the answer was lost.
    SQL("""
        CREATE TABLE IF NOT EXISTS {schema}.journal (
            name text, seq bigint, fence bigint NOT NULL, batch uuid NOT NULL, entry json NOT NULL,
            PRIMARY KEY (name, seq))"""),
)

ACQUIRE = SQL("""
    INSERT INTO {schema}.lease AS held (name, fence, holder, info, expires, renewed_at)
    VALUES (%(name)s, coalesce((SELECT fence FROM {schema}.state WHERE name = %(name)s), 0) + 1, %(holder)s,
        %(info)s, clock_timestamp() + make_interval(secs => %(ttl_s)s), clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET
        fence = greatest(held.fence + 1, excluded.fence), holder = excluded.holder, info = excluded.info,
        expires = clock_timestamp() + make_interval(secs => %(ttl_s)s), renewed_at = clock_timestamp()
    WHERE held.holder IS NULL OR held.expires <= clock_timestamp() OR held.holder = excluded.holder
    RETURNING fence""")

RENEW = SQL("""
    UPDATE {schema}.lease
    SET expires = clock_timestamp() + make_interval(secs => %(ttl_s)s), renewed_at = clock_timestamp()
    WHERE name = %(name)s AND holder = %(holder)s AND fence = %(fence)s AND expires > clock_timestamp()
    RETURNING fence""")

RELEASE = SQL("""
    UPDATE {schema}.lease SET holder = NULL, expires = NULL
    WHERE name = %(name)s AND holder = %(holder)s AND fence = %(fence)s""")

# The text of `by` and `from` is the server's own word on who asked.
BREAK = SQL("""
    UPDATE {schema}.lease SET holder = NULL, expires = NULL, broken = json_build_object(
        'fence', fence, 'by', session_user, 'from', host(inet_client_addr()), 'at', clock_timestamp(),
        'break', %(break)s::text, 'reason', %(reason)s::json, 'holder', info)
    WHERE name = %(name)s""")

_LEASE = """
    SELECT coalesce(expires > clock_timestamp(), false) AND holder IS NOT NULL, holder, fence, info::text,
        extract(epoch FROM clock_timestamp() - renewed_at)::float8, broken::text
    FROM {schema}.lease WHERE name = %(name)s"""

READ_LEASE = SQL(_LEASE)

# Held until the transaction ends: so long nobody else can take the lock, even if it runs out meanwhile.
HOLD_LEASE = SQL(_LEASE + " FOR UPDATE")

# The body only where it is not the known one.
_STATE = """
    SELECT sha256, CASE WHEN sha256 = %(known)s THEN NULL ELSE body END
    FROM {schema}.state WHERE name = %(name)s"""

READ_STATE = SQL(_STATE)
HOLD_STATE = SQL(_STATE + " FOR UPDATE")

INSERT_STATE = SQL("""
    INSERT INTO {schema}.state (name, lineage, serial, fence, sha256, body, stored_at)
    VALUES (%(name)s, %(lineage)s, %(serial)s, %(fence)s, %(sha256)s, %(body)b, clock_timestamp())
    ON CONFLICT (name) DO NOTHING RETURNING serial""")

UPDATE_STATE = SQL("""
    UPDATE {schema}.state SET serial = %(serial)s, fence = %(fence)s, sha256 = %(sha256)s, body = %(body)b,
        stored_at = clock_timestamp()
    WHERE name = %(name)s AND lineage = %(lineage)s AND serial = %(before)s AND fence <= %(fence)s RETURNING serial""")

KEEP_VERSION = SQL("""
    INSERT INTO {schema}.state_version AS kept (name, serial, lineage, fence, sha256, body, stored_at)
    SELECT name, serial, lineage, fence, sha256, body, stored_at FROM {schema}.state WHERE name = %(name)s
    ON CONFLICT (name, serial) DO UPDATE SET lineage = excluded.lineage, fence = excluded.fence,
        sha256 = excluded.sha256, body = excluded.body, stored_at = excluded.stored_at""")

DROP_OLD_VERSIONS = SQL("""
    DELETE FROM {schema}.state_version WHERE name = %(name)s AND serial <= (
        SELECT serial FROM {schema}.state_version WHERE name = %(name)s
        ORDER BY serial DESC OFFSET %(kept)s LIMIT 1)""")

READ_VERSIONS = SQL("""
    SELECT serial, to_char(stored_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM {schema}.state_version WHERE name = %(name)s ORDER BY serial DESC""")

READ_VERSION = SQL("""
    SELECT sha256, body FROM {schema}.state_version WHERE name = %(name)s AND serial = %(serial)s""")

READ_JOURNAL = SQL("SELECT seq, entry::text FROM {schema}.journal WHERE name = %(name)s ORDER BY seq")

APPEND = SQL("""
    INSERT INTO {schema}.journal (name, seq, fence, batch, entry)
    SELECT %(name)s, coalesce((SELECT max(seq) FROM {schema}.journal WHERE name = %(name)s), 0) + place,
        %(fence)s, %(batch)s, entry::json
    FROM unnest(%(entries)s::text[]) WITH ORDINALITY AS added (entry, place)""")

FIND_BATCH = SQL("SELECT seq FROM {schema}.journal WHERE name = %(name)s AND batch = %(batch)s LIMIT 1")

CLEAR_JOURNAL = SQL("DELETE FROM {schema}.journal WHERE name = %(name)s")

TABLES = ("state", "state_version", "lease", "journal")

LOOK = SQL("""
    SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
        has_database_privilege(current_database(), 'CREATE'),
        (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %(schema)s),
        (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %(schema)s),
        (SELECT count(*) FROM pg_tables WHERE schemaname = %(schema)s AND tablename = ANY(%(tables)s)),
        ARRAY(SELECT c.relname || ' (' || wanted || ')'
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted
            WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s) AND NOT has_table_privilege(c.oid, wanted)
                AND (wanted <> 'DELETE' OR c.relname IN ('journal', 'state_version'))
            ORDER BY 1)""")
