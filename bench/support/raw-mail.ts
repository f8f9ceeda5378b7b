/** Bare `node:sqlite` with the pragmas and the columns of a mailbox: what durable acceptance is measured against. */
import { DatabaseSync } from "node:sqlite";

const BODY = new Uint8Array(1_024).fill(7);

export interface RawMail extends Disposable {
  /** One commit. */
  insert(rows: number): void;
  /** The oldest ones, one commit. */
  remove(rows: number): void;
}

export function openRawMail(path: string): RawMail {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; CREATE TABLE mail (
    seq INTEGER PRIMARY KEY, sender TEXT, route TEXT, request_id TEXT, hash TEXT, about TEXT, accepted_at INTEGER, body BLOB)`);
  const insert = db.prepare("INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const remove = db.prepare("DELETE FROM mail WHERE seq = ?");
  let next = 0;
  let removed = 0;
  return {
    remove: (rows) => {
      db.exec("BEGIN IMMEDIATE");
      for (let i = 0; i < rows; i++) remove.run(++removed);
      db.exec("COMMIT");
    },
    insert: (rows) => {
      db.exec("BEGIN IMMEDIATE");
      for (let i = 0; i < rows; i++) {
        insert.run(++next, "1a2b3c@1/acme:client:1.0.0", "bench.Bench.Note", `r-${next}`, "0123456789abcdef", "{\"kind\":\"tell\"}", next, BODY);
      }
      db.exec("COMMIT");
    },
    [Symbol.dispose]: () => db.close(),
  };
}
