/**
 * A mob in a process of its own, whose disk fails: sends turns until they are refused, and says what it knows then; waits until the store
 * takes them again, then for the end of all that were accepted. Argument: folder. Prints one JSON value a line.
 */
import { MOB_LIMITS } from "@atoll-run/mob";
import { until } from "@atoll-run/testkit";
import { defineMob, Mob, type LinkedFactory } from "../../src/mob.ts";

const [dir = ""] = process.argv.slice(2);
const SENDS_MAX = 1_000;
const PATIENCE = { withinMs: 60_000 };
const definition = defineMob({
  mob: { id: "disk", members: [{ id: "slow", profile: "slow" }, { id: "echo", profile: "echo" }, { id: "sleeps", profile: "echo" }] },
  profiles: { slow: { linked: "slow" }, echo: { linked: "echo" } }, limits: { storageProbeMs: 100 },
});
const say = (value: unknown): void => console.log(JSON.stringify(value));

let calls = 0;
const failed = Promise.withResolvers<void>();
const slow: LinkedFactory = () => async () => {
  calls += 1;
  // The first one is in the middle of it when the disk fails, and cannot be ended.
  await failed.promise;
  return calls;
};
/** A start is told before it is made: who was up does not come that far. */
let failedStarts = 0;
const FAILED: ReadonlySet<string> = new Set(["a start failed", "a move could not be made"]);
const log = { write: ({ msg }: { readonly msg: string }): void => void (failedStarts += FAILED.has(msg) ? 1 : 0) };
await using mob = await Mob.start({ env: { log }, definition, stateDir: dir, linked: { slow, echo: () => ({ content }) => String(content).length } });
const { rooms } = mob;
const send = async (to: string, content: string): Promise<string> => (await rooms.send({ to, content, from: "console", principal: "local" })).turn_id;
const accepted = [await send("slow", "x")];
await until(() => calls === 1, PATIENCE);
say("runs");
/** Nobody waits for these. */
let noted = 0;
const code = await (async () => {
  for (let n = 0; n < SENDS_MAX; n++) {
    await rooms.ledger.note(rooms.writer, { kind: "note", source: "test", data: { n: noted++ } });
    accepted.push(await send("echo", String(n)));
  }
  return "none";
})().catch((error: unknown) => (error as { code: string }).code);
await until(() => rooms.ledger.degraded !== undefined, PATIENCE);
failed.resolve();
// More than would break a member whose own fault it is.
await until(() => failedStarts > MOB_LIMITS.startTries, PATIENCE);
const asleep = await send("sleeps", "x").catch((error: unknown) => (error as { code: string }).code);
say({ code, asleep, cause: rooms.ledger.degraded?.cause, degraded: rooms.status().degraded });

await until(() => rooms.ledger.degraded === undefined, PATIENCE);
const ends = await Promise.all(accepted.map(async (turn) => (await rooms.members.wait(turn, {})).state));
const later = await rooms.members.wait(await send("sleeps", "later"), {});
const { entries } = await rooms.ledger.query({ after: 0, classes: ["structural", "turn", "audit", "error", "system"], limit: 1_000 });
await rooms.ledger.flush();
const notes = (await rooms.ledger.query({ after: 0, kinds: ["note"], limit: 1_000 })).entries.map(({ data }) => data["n"]);
const of = (kind: string): number => entries.filter((entry) => entry.kind === kind).length;
say({
  accepted: accepted.length, ends: [...new Set(ends)], later: later.output, calls, states: rooms.status().members.map(({ state }) => state), degraded: rooms.status().degraded,
  lost: Array.from({ length: noted }, (_, n) => n).filter((n) => !notes.includes(n)).length, twice: notes.length - new Set(notes).size, queued: of("turn_queued"), done: of("turn_done"), recovered: of("storage_recovered"), bad: entries.filter(({ kind }) => /broken|suspended|stale_fence|spawn_failed/.test(kind)).map(({ kind, data }) => [kind, data]),
});
