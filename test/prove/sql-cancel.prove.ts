/**
 * S1, with its time: two tasks on one database, one is cancelled at a random moment of a long query. Only it fails, within
 * 300 ms; the neighbour's open BEGIN fails with sql.aborted; the database goes on.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isFault, type SqlDatabase } from "@atoll-run/core";
import { openSqlDatabase } from "@atoll-run/sqlite";
import type { Proof, ProofResult } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const LATEST_MS = 300;
/** A machine with other work to do is late now and then: p95 counts. */
const LATE_PERCENT_MAX = 5;
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

export const proof: Proof = {
  issue: "A",
  title: "when one of two tasks is cancelled in a long query only it fails, within 300 ms, and an open BEGIN is told",
  sharePercent: 5,
  full: 200,
  async run(order) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-sql-cancel-"));
    const late: number[] = [];
    let done: ProofResult;
    {
      await using db = openSqlDatabase({
        path: join(folder, "db.sqlite"), restricted: false, busyTimeoutMs: 1_000, journalMode: "WAL",
      });
      await db.exec("CREATE TABLE t(a)", [], { owner: "a" });
      done = await doRounds(order, async ({ seed }) => {
        const { wrong, tookMs } = await cancelRound(db, seed % 40);
        if (tookMs > LATEST_MS) late.push(tookMs);
        return wrong;
      });
    }
    rmSync(folder, { recursive: true, force: true });
    if (late.length <= 1 + (done.rounds * LATE_PERCENT_MAX) / 100) return done;
    return { ...done, failures: [...done.failures, `${late.length} of ${done.rounds} cancels took longer than ${LATEST_MS} ms: ${late.map(Math.round)}`] };
  },
};

async function cancelRound(db: SqlDatabase, afterMs: number): Promise<{ wrong: string | undefined; tookMs: number }> {
  await db.exec("DELETE FROM t; BEGIN; INSERT INTO t VALUES (1)", [], { owner: "b" });
  const cancel = new AbortController();
  const long = codeOf(db.query(ENDLESS, [], { owner: "a", signal: cancel.signal }));
  const neighbour = codeOf(db.query("SELECT 1", [], { owner: "c" }));
  await sleep(afterMs);
  const begun = performance.now();
  cancel.abort();
  const code = await long;
  const tookMs = performance.now() - begun;
  const seen = [
    code, await neighbour, await codeOf(db.exec("COMMIT", [], { owner: "b" })),
    await db.query("SELECT count(*) AS n FROM t", [], { owner: "b" }),
  ].join(" ");
  const wanted = 'sql.cancelled ok sql.aborted [{"n":0}]';
  return { wrong: seen === wanted ? undefined : `${seen} instead of ${wanted}`, tookMs };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    return isFault(error) ? error.code : String(error);
  }
}
