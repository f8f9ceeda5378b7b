/** The tables of `state.sqlite`. Append-only: what was released is never edited. The number is `user_version`. */

export const MIGRATIONS: readonly string[] = [
  `
  -- reserved: no seq above it was given
  CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL);
  INSERT INTO counter VALUES (1, 0);
  CREATE TABLE scopes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);

  -- head: the first of its key, or without one. body last: the other columns are read without it
  CREATE TABLE mail (
    seq INTEGER PRIMARY KEY, scope INTEGER NOT NULL, sender TEXT NOT NULL, route TEXT NOT NULL, request_id TEXT NOT NULL,
    hash TEXT NOT NULL, priority INTEGER NOT NULL, key TEXT, about TEXT NOT NULL, accepted_at INTEGER NOT NULL,
    expires_at INTEGER, ready_at INTEGER NOT NULL, attempts INTEGER NOT NULL, crashes INTEGER NOT NULL,
    fence INTEGER NOT NULL, leased INTEGER NOT NULL, parked TEXT, head INTEGER NOT NULL, body BLOB NOT NULL
  );
  CREATE UNIQUE INDEX mail_request ON mail (scope, request_id, sender, route);
  CREATE INDEX mail_ready ON mail (scope, priority, ready_at, seq) WHERE head = 1;
  CREATE INDEX mail_key ON mail (scope, key, seq) WHERE key IS NOT NULL;
  CREATE INDEX mail_expires ON mail (scope, expires_at, seq) WHERE expires_at IS NOT NULL;
  CREATE INDEX mail_leased ON mail (scope) WHERE leased = 1;
  CREATE INDEX mail_parked ON mail (scope, parked, seq) WHERE parked IS NOT NULL;

  CREATE TABLE answers (
    id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, sender TEXT NOT NULL, route TEXT NOT NULL, request_id TEXT NOT NULL,
    hash TEXT NOT NULL, outcome TEXT NOT NULL, done_at INTEGER NOT NULL, forget_at INTEGER NOT NULL, reply BLOB
  );
  CREATE UNIQUE INDEX answers_request ON answers (scope, request_id, sender, route);
  CREATE INDEX answers_forget ON answers (scope, forget_at);

  CREATE TABLE letters (
    seq INTEGER PRIMARY KEY, scope INTEGER NOT NULL, reason TEXT NOT NULL, accepted INTEGER NOT NULL, sender TEXT,
    route TEXT, about TEXT NOT NULL, dead_at INTEGER NOT NULL, redrives INTEGER NOT NULL, redriving INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE INDEX letters_seq ON letters (scope, seq);

  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, scope INTEGER NOT NULL, receiver TEXT NOT NULL, kind TEXT NOT NULL, about TEXT NOT NULL,
    send_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, attempts INTEGER NOT NULL, body BLOB NOT NULL
  );
  CREATE INDEX outbox_send ON outbox (scope, send_at, seq);
  CREATE INDEX outbox_receiver ON outbox (scope, receiver, seq);

  CREATE TABLE documents (
    scope INTEGER NOT NULL, space TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (scope, space, key)
  ) WITHOUT ROWID;

  CREATE TABLE journals (
    seq INTEGER PRIMARY KEY, journal TEXT NOT NULL, scope INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
  );
  CREATE INDEX journals_seq ON journals (journal, seq);
  `,
];
