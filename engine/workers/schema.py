"""The tables in Postgres: ours, and Procrastinate's queue beside them.

What is JSON is text here: `jsonb` takes no U+0000, and a result may quote one.
"""

from __future__ import annotations

from importlib import resources

import psycopg

from workspace.errors import LoopdeskError

VERSION = 1
MOST_JSON = 1 << 20  # bytes of one document, whoever wrote it

_TABLES = f"""
CREATE TABLE loopdesk_schema (version integer NOT NULL);
INSERT INTO loopdesk_schema VALUES ({VERSION});

CREATE TABLE loopdesk_jobs (
  job_id text PRIMARY KEY,
  workspace text NOT NULL,
  attempt integer NOT NULL,
  kind text NOT NULL,
  asked text NOT NULL,
  brief text NOT NULL CHECK (octet_length(brief) <= {MOST_JSON}),
  reserved_usd double precision NOT NULL,
  ticket text NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'unwanted', 'ended')),
  claim text NOT NULL DEFAULT '',
  worker text NOT NULL DEFAULT '',
  snapshot text CHECK (octet_length(snapshot) <= {MOST_JSON}),
  outcome text CHECK (octet_length(outcome) <= {MOST_JSON}),
  CHECK ((outcome IS NOT NULL) = (state = 'ended'))
);
CREATE INDEX loopdesk_jobs_of_a_workspace ON loopdesk_jobs(workspace);

CREATE TABLE loopdesk_spend (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  job_id text NOT NULL REFERENCES loopdesk_jobs ON DELETE CASCADE,
  role text NOT NULL,
  model text NOT NULL,
  usd double precision NOT NULL,
  input_tokens integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  at timestamptz NOT NULL DEFAULT now(),
  is_booked boolean NOT NULL DEFAULT false
);
CREATE INDEX loopdesk_spend_of_a_job ON loopdesk_spend(job_id);

CREATE TABLE loopdesk_blobs (
  key text PRIMARY KEY,
  used_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE loopdesk_chunks (
  key text NOT NULL REFERENCES loopdesk_blobs ON DELETE CASCADE,
  part integer NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (key, part)
);
-- Bundles are packed already.
ALTER TABLE loopdesk_chunks ALTER COLUMN content SET STORAGE EXTERNAL;
"""
_LOCK = 0x6C6F6F70  # of whoever makes or looks at the tables: two may start at once


def ensure(connection: psycopg.Connection) -> None:
    """Make what is not there. Raises `LoopdeskError` for a newer schema, `psycopg.Error`."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if not _has(cursor, "procrastinate_jobs"):
            # As its own schema manager does it, within this transaction.
            cursor.execute((resources.files("procrastinate.sql") / "schema.sql").read_bytes())
        if not _has(cursor, "loopdesk_schema"):
            cursor.execute(_TABLES.encode())
        row = cursor.execute("SELECT version FROM loopdesk_schema").fetchone()
        version = row[0] if row else VERSION
    if version > VERSION:
        raise LoopdeskError(
            "The Postgres of the workers was made by a newer loopdesk",
            do="Use the same version of loopdesk on every machine",
        )


def _has(cursor: psycopg.Cursor, table: str) -> bool:
    found = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return bool(found and found[0])
