"""The tables of `inbox.db`. The engine alone writes them; the door only inserts into `commands` and `signals_in`.

Instants are whole microseconds since 1970, UTC (`*_at`, `*_until`, `apply_after`, `not_before`, `heartbeat`). What must
never be double is an index here, whatever a decision says: one place for a signal, one live attempt of a job, one open
proposal of a report.
"""

from __future__ import annotations

FIRST = """
CREATE TABLE signals (
  id TEXT PRIMARY KEY,
  source_product TEXT NOT NULL,
  source_type TEXT NOT NULL,
  source_id TEXT NOT NULL,
  content TEXT NOT NULL,
  weight REAL NOT NULL,
  extra TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  arrived_at INTEGER NOT NULL,
  revisions INTEGER NOT NULL DEFAULT 0,
  safety TEXT NOT NULL DEFAULT 'waiting' CHECK (safety IN ('waiting', 'passed', 'blocked', 'held', 'released')),
  threat TEXT NOT NULL DEFAULT '',
  quote TEXT NOT NULL DEFAULT '',
  safety_why TEXT NOT NULL DEFAULT '',
  judged_by TEXT NOT NULL DEFAULT '',
  judge_again_at INTEGER,
  released_by TEXT NOT NULL DEFAULT '',
  recurs_from TEXT NOT NULL DEFAULT '',
  is_placed INTEGER NOT NULL DEFAULT 0,
  embedding BLOB,
  embedded_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX signals_unplaced ON signals(occurred_at, id) WHERE is_placed = 0;
CREATE INDEX signals_by_time ON signals(occurred_at);
CREATE INDEX signals_unembedded ON signals(occurred_at, id) WHERE is_placed = 1 AND embedded_by = ''
  AND NOT (source_product = 'loopdesk' AND weight = 0 AND source_type IN ('command', 'outcome'));
CREATE INDEX signals_unjudged ON signals(occurred_at, id) WHERE safety IN ('waiting', 'held');

CREATE TABLE signals_in (
  seq INTEGER PRIMARY KEY,
  signal TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  refused TEXT NOT NULL DEFAULT ''
);
CREATE INDEX signals_in_waiting ON signals_in(seq) WHERE refused = '';

CREATE TABLE reports (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('potential', 'candidate', 'in_progress', 'pending_input', 'ready', 'resolved',
    'failed', 'suppressed', 'deleted')),
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  question TEXT NOT NULL,
  note TEXT NOT NULL,
  hold TEXT NOT NULL DEFAULT '',
  priority TEXT NOT NULL,
  actionability TEXT NOT NULL,
  version INTEGER NOT NULL,
  engine_version INTEGER NOT NULL,
  status_before TEXT NOT NULL,
  snoozed_until INTEGER,
  wakes_at_signals INTEGER,
  passes INTEGER NOT NULL,
  runs INTEGER NOT NULL,
  is_by_hand INTEGER NOT NULL,
  start_approved_by TEXT NOT NULL,
  declined_for TEXT NOT NULL,
  recurrence_of TEXT NOT NULL,
  joined_into TEXT NOT NULL,
  metric TEXT NOT NULL,
  signals INTEGER NOT NULL,
  weight REAL NOT NULL,
  weighed_at INTEGER NOT NULL
);
CREATE INDEX reports_by_status ON reports(status, changed_at);
CREATE INDEX reports_that_came_again ON reports(recurrence_of) WHERE recurrence_of != '';
CREATE INDEX reports_snoozed ON reports(snoozed_until) WHERE snoozed_until IS NOT NULL;

CREATE TABLE report_signals (
  report_id TEXT NOT NULL REFERENCES reports(id),
  signal_id TEXT NOT NULL REFERENCES signals(id),
  reason TEXT NOT NULL,
  placed_at INTEGER NOT NULL,
  came_from TEXT NOT NULL DEFAULT '',
  read_in_run INTEGER,
  left_at INTEGER,
  PRIMARY KEY (report_id, signal_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_place_for_a_signal ON report_signals(signal_id) WHERE left_at IS NULL;

CREATE TABLE artefacts (
  seq INTEGER PRIMARY KEY,
  report_id TEXT NOT NULL REFERENCES reports(id),
  kind TEXT NOT NULL,
  content TEXT NOT NULL,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX artefacts_of_a_report ON artefacts(report_id, seq);

CREATE TABLE proposals (
  id TEXT PRIMARY KEY,
  report_id TEXT NOT NULL REFERENCES reports(id),
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'building', 'open', 'red', 'green', 'waiting_for_you', 'merged',
    'closed', 'superseded', 'failed')),
  title TEXT NOT NULL,
  repository TEXT NOT NULL,
  branch TEXT NOT NULL,
  base TEXT NOT NULL,
  base_sha TEXT NOT NULL,
  head_sha TEXT NOT NULL,
  number INTEGER,
  url TEXT NOT NULL,
  builds INTEGER NOT NULL,
  rounds INTEGER NOT NULL,
  waits_for TEXT NOT NULL CHECK (waits_for IN ('', 'push', 'second_key', 'consent', 'answer', 'hand')),
  said TEXT NOT NULL,
  change TEXT NOT NULL,
  session TEXT NOT NULL,
  tests TEXT NOT NULL,
  review TEXT NOT NULL,
  guard TEXT NOT NULL,
  checks TEXT NOT NULL,
  consent TEXT NOT NULL,
  feedback TEXT NOT NULL,
  push_approved TEXT NOT NULL,
  merge_approved TEXT NOT NULL,
  approved_by TEXT NOT NULL,
  countdown_until INTEGER,
  merge_sha TEXT NOT NULL,
  is_closed_there INTEGER NOT NULL,
  reverts TEXT NOT NULL,
  merged_at INTEGER,
  outcome TEXT NOT NULL,
  verdict TEXT NOT NULL,
  verdict_seen_at INTEGER
);
CREATE INDEX proposals_of_a_report ON proposals(report_id, created_at);
CREATE INDEX proposals_by_state ON proposals(state) WHERE is_closed_there = 0;
CREATE INDEX proposals_unmeasured ON proposals(merged_at, id) WHERE state = 'merged' AND verdict = '';
CREATE UNIQUE INDEX one_open_proposal ON proposals(report_id)
  WHERE state IN ('queued', 'building', 'open', 'red', 'green', 'waiting_for_you');

CREATE TABLE jobs (
  id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  report_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  proposal_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended', 'queued', 'running', 'returned', 'applied', 'failed', 'cancelled')),
  brief TEXT NOT NULL,
  result TEXT,
  reserved_usd REAL NOT NULL,
  owner TEXT NOT NULL,
  heartbeat INTEGER,
  failures INTEGER NOT NULL,
  error TEXT NOT NULL,
  PRIMARY KEY (id, attempt)
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_live_attempt ON jobs(key) WHERE state IN ('intended', 'queued', 'running', 'returned');
CREATE INDEX jobs_of_a_report ON jobs(report_id);
CREATE INDEX jobs_by_state ON jobs(state) WHERE state IN ('intended', 'queued', 'running', 'returned', 'failed');

CREATE TABLE snapshots (
  job_id TEXT PRIMARY KEY,
  content TEXT NOT NULL,
  at INTEGER NOT NULL
);

CREATE TABLE commands (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  verb TEXT NOT NULL,
  report_id TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  apply_after INTEGER NOT NULL,
  arguments TEXT NOT NULL CHECK (json_valid(arguments) AND json_type(arguments) = 'object'),
  seen_version INTEGER,
  seen_sha TEXT NOT NULL,
  actor TEXT NOT NULL,
  ran_us INTEGER NOT NULL,
  undone_at INTEGER,
  claimed_at INTEGER,
  applied_at INTEGER,
  refused_at INTEGER,
  said TEXT NOT NULL DEFAULT '',
  announced_at INTEGER,
  CHECK (undone_at IS NULL OR claimed_at IS NULL),
  CHECK (applied_at IS NULL OR refused_at IS NULL)
);
CREATE INDEX commands_waiting ON commands(apply_after) WHERE claimed_at IS NULL AND undone_at IS NULL;
CREATE INDEX commands_of_a_report ON commands(report_id);
CREATE INDEX commands_unannounced ON commands(seq) WHERE announced_at IS NULL AND claimed_at IS NOT NULL;

CREATE TABLE transitions (
  seq INTEGER PRIMARY KEY,
  noun TEXT NOT NULL,
  subject TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX transitions_of_a_subject ON transitions(subject, seq);

CREATE TABLE memory (
  key TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  report_id TEXT NOT NULL,
  command_id TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  withdrawn_at INTEGER
);

CREATE TABLE source_state (
  source TEXT PRIMARY KEY,
  cursor TEXT NOT NULL DEFAULT '',
  learned_weight REAL NOT NULL DEFAULT 1.0,
  weight_by_hand REAL,
  is_on INTEGER,
  changed_at INTEGER NOT NULL
);

CREATE TABLE spend (
  seq INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL DEFAULT '',
  attempt INTEGER NOT NULL DEFAULT 0,
  report_id TEXT NOT NULL,
  role TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL NOT NULL,
  at INTEGER NOT NULL,
  booked_at INTEGER,
  ledger_id INTEGER
);
CREATE UNIQUE INDEX once_from_a_ledger ON spend(job_id, ledger_id) WHERE ledger_id IS NOT NULL;
CREATE INDEX spend_by_time ON spend(at);
CREATE INDEX spend_of_a_report ON spend(report_id);

CREATE TABLE budget_holds (
  night_at INTEGER NOT NULL,
  report_id TEXT NOT NULL,
  held_at INTEGER NOT NULL,
  PRIMARY KEY (night_at, report_id)
) WITHOUT ROWID;

CREATE TABLE notifications (
  seq INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('command', 'webhook', 'mail')),
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  intended_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  claimed_at INTEGER,
  sent_at INTEGER,
  error TEXT NOT NULL DEFAULT '',
  UNIQUE (subject, way)
);
CREATE INDEX notifications_waiting ON notifications(seq, not_before) WHERE claimed_at IS NULL;

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value NOT NULL
) WITHOUT ROWID
"""

MIGRATIONS = (FIRST,)
