/**
 * One owner for a folder. The lock is SQLite's own on a small database `lock`: the system lets go of it when the
 * process dies, however it dies. Who holds it can be read beside it.
 */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stateLocked } from "@atoll-run/core";

const BUSY = 5;
const SCHEMA = "CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL)";

/** Makes the folder when it is missing. Throws `state.locked`, naming the holder. Dispose = let go. */
export function lockDirectory(dir: string): Disposable {
  mkdirSync(dir, { recursive: true });
  const db = new DatabaseSync(join(dir, "lock"), { timeout: 0 });
  try {
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
    db.prepare("INSERT OR REPLACE INTO holder VALUES (1, ?)").run(`process ${process.pid} on ${hostname()}`);
    // Readers are let in by this lock, other owners are not.
    db.exec("COMMIT; BEGIN IMMEDIATE");
  } catch (error) {
    const locked = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
    const holder = locked === BUSY ? holderOf(db) : "";
    db.close();
    throw locked === BUSY ? stateLocked(dir, holder) : error;
  }
  return { [Symbol.dispose]: () => db.close() };
}

function holderOf(db: DatabaseSync): string {
  try {
    return db.prepare("SELECT name FROM holder").get()?.["name"] as string | undefined ?? "another process";
  } catch {
    return "another process";
  }
}
