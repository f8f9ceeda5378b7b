/** Every statement of the state file, by name. A test asks SQLite for their plans: none may scan a table or sort. */

const HEAD = `seq, sender, route, request_id, hash, priority, key, about, accepted_at, expires_at, ready_at, attempts,
  crashes, fence, leased, parked, length(body)`;
const PARCEL = "seq, receiver, kind, about, send_at, expires_at, attempts, body";
const LETTER = "seq, reason, accepted, sender, route, about, dead_at, redrives, redriving, body";
const ANSWER = "sender, route, request_id, hash, outcome, reply, done_at, forget_at";
const REQUEST = "scope = ? AND request_id = ? AND sender = ? AND route = ?";

export const WRITES = {
  reserve: "UPDATE counter SET reserved = ?",
  addScope: "INSERT INTO scopes (name, epoch) VALUES (?, 0)",
  setEpoch: "UPDATE scopes SET epoch = ? WHERE id = ?",
  freeLeased: `UPDATE mail SET leased = 0, ready_at = 0, crashes = crashes + 1, fence = fence + 1
    WHERE scope = ? AND leased = 1`,
  // A scope of null is refused as a second row of a request is, by nothing being inserted. One row of values and no
  // SELECT: that would be ready to be taken back alone, for which each page that it changes is copied.
  accept: `INSERT OR IGNORE INTO mail VALUES (?1, iif(EXISTS (SELECT 1 FROM answers
      WHERE scope = ?2 AND request_id = ?5 AND sender = ?3 AND route = ?4 AND forget_at > ?15), NULL, ?2),
    ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, ?13, ?13, NULL,
    ?8 IS NULL OR NOT EXISTS (SELECT 1 FROM mail WHERE scope = ?2 AND key = ?8), ?14)`,
  lease: `UPDATE mail SET leased = 1, ready_at = ?, parked = NULL, fence = fence + 1
    WHERE seq = ? AND scope = ? AND fence = ?`,
  release: `UPDATE mail SET leased = 0, ready_at = ?, parked = ?, attempts = attempts + ?, fence = fence + 1
    WHERE seq = ? AND scope = ? AND fence = ?`,
  // On its own: an index goes with it, and most rows keep their time.
  expire: "UPDATE mail SET expires_at = ? WHERE seq = ?",
  settle: "DELETE FROM mail WHERE seq = ? AND scope = ? AND fence = ? RETURNING key, head",
  promote: `UPDATE mail SET head = 1 WHERE seq = (SELECT seq FROM mail WHERE scope = ? AND key = ? ORDER BY seq LIMIT 1)`,
  remember: `INSERT OR IGNORE INTO answers (scope, sender, route, request_id, hash, outcome, reply, done_at, forget_at)
    VALUES (iif(EXISTS (SELECT 1 FROM mail WHERE scope = ?1 AND request_id = ?4 AND sender = ?2 AND route = ?3), NULL, ?1),
      ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (scope, request_id, sender, route) DO UPDATE SET hash = excluded.hash, outcome = excluded.outcome,
      reply = excluded.reply, done_at = excluded.done_at, forget_at = excluded.forget_at WHERE forget_at <= ?10`,
  forget: `DELETE FROM answers WHERE id IN
    (SELECT id FROM answers WHERE scope = ? AND forget_at <= ? ORDER BY forget_at LIMIT ?)`,
  bury: "INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
  mark: `UPDATE letters SET redriving = ?1, redrives = redrives + ?1, about = coalesce(?2, about)
    WHERE seq = ?3 AND scope = ?4`,
  purge: "DELETE FROM letters WHERE seq = ? AND scope = ?",
  send: "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
  resend: "UPDATE outbox SET send_at = ?, attempts = attempts + 1 WHERE seq = ? AND scope = ?",
  sent: "DELETE FROM outbox WHERE seq = ? AND scope = ?",
  put: `INSERT INTO documents VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET version = excluded.version, value = excluded.value`,
  unput: "DELETE FROM documents WHERE scope = ? AND space = ? AND key = ?",
  append: "INSERT INTO journals VALUES (?, ?, ?, ?, ?)",
  trim: `DELETE FROM journals WHERE seq IN
    (SELECT seq FROM journals WHERE journal = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?)`,
} as const;

export const READS = {
  reserved: "SELECT reserved FROM counter WHERE one = 1",
  scope: "SELECT id, epoch FROM scopes WHERE name = ?",
  rowOf: `SELECT seq, hash FROM mail WHERE ${REQUEST}`,
  headOf: `SELECT ${HEAD} FROM mail WHERE ${REQUEST}`,
  answerOf: `SELECT ${ANSWER} FROM answers WHERE ${REQUEST}`,
  version: "SELECT version FROM documents WHERE scope = ? AND space = ? AND key = ?",
  ready: `SELECT ${HEAD}, body FROM mail WHERE head = 1 AND scope = ? AND priority = ? AND ready_at <= ?
    ORDER BY ready_at, seq`,
  mail: `SELECT ${HEAD}, body FROM mail WHERE seq = ? AND scope = ?`,
  // By number, through all scopes (that is the `+`): another index would cost every message, and this is asked seldom.
  rows: `SELECT ${HEAD} FROM mail WHERE +scope = ? AND seq > ? ORDER BY seq LIMIT ?`,
  expired: `SELECT ${HEAD} FROM mail WHERE scope = ? AND expires_at <= ? ORDER BY expires_at, seq LIMIT ?`,
  parked: `SELECT ${HEAD} FROM mail WHERE scope = ? AND parked = ? ORDER BY seq LIMIT ?`,
  outbox: `SELECT ${PARCEL} FROM outbox WHERE scope = ? AND send_at <= ? ORDER BY send_at, seq LIMIT ?`,
  outboxTo: `SELECT ${PARCEL} FROM outbox WHERE scope = ? AND receiver = ? AND seq > ? ORDER BY seq LIMIT ?`,
  letters: `SELECT ${LETTER} FROM letters WHERE scope = ? AND seq > ? ORDER BY seq LIMIT ?`,
  get: "SELECT value, version FROM documents WHERE scope = ? AND space = ? AND key = ?",
  keysFrom: "SELECT key FROM documents WHERE scope = ? AND space = ? AND key >= ? ORDER BY key",
  keysAfter: "SELECT key FROM documents WHERE scope = ? AND space = ? AND key > ? ORDER BY key",
  journal: `SELECT j.seq, s.name, j.at, j.body FROM journals j CROSS JOIN scopes s ON s.id = j.scope
    WHERE j.journal = ? AND j.seq > ? ORDER BY j.seq LIMIT ?`,
  journalBack: `SELECT j.seq, s.name, j.at, j.body FROM journals j CROSS JOIN scopes s ON s.id = j.scope
    WHERE j.journal = ? AND j.seq < ? ORDER BY j.seq DESC LIMIT ?`,
  usageOfMail: "SELECT count(*), coalesce(sum(length(body)), 0) FROM mail WHERE scope = ?",
  usageOfAnswers: "SELECT count(*), coalesce(sum(length(reply)), 0) FROM answers WHERE scope = ?",
  usageOfLetters: "SELECT count(*), coalesce(sum(length(body)), 0) FROM letters WHERE scope = ?",
  usageOfOutbox: "SELECT count(*) FROM outbox WHERE scope = ?",
  pageSize: "PRAGMA page_size",
  pages: "PRAGMA page_count",
  freePages: "PRAGMA freelist_count",
  nextReady: `SELECT ready_at FROM mail WHERE head = 1 AND scope = ? AND priority = ? AND ready_at > ?
    ORDER BY ready_at LIMIT 1`,
  nextExpires: "SELECT expires_at FROM mail WHERE scope = ? AND expires_at > ? ORDER BY expires_at LIMIT 1",
  nextSend: "SELECT send_at FROM outbox WHERE scope = ? AND send_at > ? ORDER BY send_at LIMIT 1",
  nextForget: "SELECT forget_at FROM answers WHERE scope = ? AND forget_at > ? ORDER BY forget_at LIMIT 1",
} as const;
