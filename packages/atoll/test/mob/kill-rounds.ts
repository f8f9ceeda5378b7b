/** A mob that is killed again and again, and left to finish: what was accepted has ended once, and nothing else is there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openState } from "@atoll-run/sqlite";
import { memberScope } from "@atoll-run/mob/internal";
import type { Entry } from "@atoll-run/mob";

export interface KillOrder {
  readonly dir: string;
  readonly turns: number;
  readonly kills: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const CHILD = join(import.meta.dirname, "kill-child.ts");
const FINAL: ReadonlySet<string> = new Set(["turn_done", "turn_failed", "turn_cancelled", "turn_expired", "turn_dead"]);

/** Sentences that are wrong. */
export async function killRounds(o: KillOrder): Promise<readonly string[]> {
  const accepted = new Map<string, string>();
  const wrong: string[] = [];
  for (let kill = 0; kill <= o.kills; kill++) {
    const last = kill === o.kills;
    const said = await run(o, { killAfter: last ? Infinity : Math.floor(o.random() * o.turns), laterMs: o.random() * 12 });
    for (const [n, turn] of said.accepted) {
      if ((accepted.get(n) ?? turn) !== turn) wrong.push(`turn ${n} was ${accepted.get(n)} and is ${turn}`);
      accepted.set(n, turn);
    }
    if (last && !said.over) wrong.push(`it did not come to its end: ${said.text}`);
  }
  return [...wrong, ...await look(o, accepted)];
}

/** Kills it that many acceptances after its start, and a moment later. */
async function run({ dir, turns }: KillOrder, { killAfter, laterMs }: { readonly killAfter: number; readonly laterMs: number }) {
  const child = spawn(process.execPath, [CHILD, dir, String(turns), String(Math.floor(laterMs))], { stdio: ["ignore", "pipe", "pipe"] });
  const accepted: [n: string, turn: string][] = [];
  let [over, text] = [false, ""];
  child.stderr.on("data", (bytes: Buffer) => void (text += String(bytes)));
  const closed = once(child, "close");
  for await (const line of createInterface(child.stdout)) {
    const [what, n = "", turn = ""] = line.split(" ");
    if (what === "accepted") accepted.push([n, turn]);
    if (what === "over") over = true;
    if (accepted.length === killAfter + 1) setTimeout(() => child.kill("SIGKILL"), laterMs);
  }
  await closed;
  return { accepted, over, text };
}

async function look({ dir, turns }: KillOrder, accepted: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const wrong: string[] = [];
  await using store = await openState({ dir });
  const entries: Pick<Entry, "kind" | "turn_id" | "member" | "data">[] = [];
  for (let after = 0; ;) {
    const page = await store.journal("ledger", { after, limit: 1_000 });
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { body } of page) entries.push(JSON.parse(body) as Entry);
    after = last.seq;
  }
  const byTurn = Map.groupBy(entries.filter(({ kind }) => kind.startsWith("turn_")), ({ turn_id }) => turn_id ?? "");
  if (byTurn.size !== turns) wrong.push(`${byTurn.size} turns for ${turns} keys`);
  for (const turn of accepted.values()) if (!byTurn.has(turn)) wrong.push(`${turn} was accepted and is lost`);
  const done = new Set<string>();
  for (const [turn, own] of byTurn) {
    const kinds = own.map(({ kind }) => kind);
    const ends = kinds.filter((kind) => FINAL.has(kind));
    if (kinds[0] !== "turn_queued" || kinds.filter((kind) => kind === "turn_queued").length !== 1) wrong.push(`${turn} begins as ${kinds.join(" ")}`);
    if (ends.length !== 1 || kinds.at(-1) !== ends[0]) wrong.push(`${turn} ends as ${kinds.join(" ")}`);
    if (ends[0] === "turn_done") done.add(turn);
    else if (own.at(-1)?.data["reason"] !== "crashed") wrong.push(`${turn}: ${JSON.stringify(own.at(-1))}`);
  }
  const effects: string[] = [];
  for (const member of ["one", "two", "three"]) {
    const scope = memberScope(member);
    const { rows } = await store.usage(scope);
    if (rows > 0) wrong.push(`${rows} rows of ${member} are stranded`);
    for (const key of ["c0", "c1", "c2", "c3"]) effects.push(...JSON.parse((await store.get(scope, "kv:member", key))?.value ?? "[]") as string[]);
  }
  if (new Set(effects).size !== effects.length) wrong.push("what a turn does was done twice");
  if (effects.length !== done.size || effects.some((turn) => !done.has(turn))) wrong.push(`${effects.length} effects of ${done.size} turns that are done`);
  return wrong;
}
