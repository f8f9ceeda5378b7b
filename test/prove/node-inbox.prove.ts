/**
 * SIGKILL at random moments of a node's mailbox on a real file, several lives on one folder, then one that is left to
 * finish. Each number that a sender was told is accepted must be in the list of its sender once and in order, or be a
 * dead letter; nothing may be left in the mailbox.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { StateStore } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const SENDERS = 5;
/** Lives that are killed, of one round. */
const KILLS = 4;
/** A life is killed after so many accepted tells at most. */
const TELLS_MAX = 400;
const REST_MS = 60_000;
const program = fileURLToPath(new URL("./fixtures/inbox-life.ts", import.meta.url));

export const proof: Proof = {
  issue: "C",
  title: "after kill -9 each accepted message was handled once and in the order of its sender, or is a dead letter",
  sharePercent: 8,
  full: 125,
  async run(order) {
    const root = mkdtempSync(join(tmpdir(), "atoll-inbox-crash-"));
    try {
      return await doRounds(order, ({ round, seed }) => runRound(join(root, String(round)), seed));
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};

async function runRound(folder: string, seed: number): Promise<string | undefined> {
  /** The number of each sender up to which all are accepted. */
  const next = Array.from({ length: SENDERS }, () => 0);
  for (let life = 0; life < KILLS; life++) {
    const mixed = roundSeed(seed, life);
    const wrong = await liveOnce([folder, String(mixed), "send", ...next.map(String)], next, 1 + mixed % TELLS_MAX);
    if (wrong !== undefined) return `life ${life}: ${wrong}`;
  }
  const wrong = await liveOnce([folder, String(seed), "rest"], next, Infinity);
  if (wrong !== undefined) return `the last life: ${wrong}`;
  const found = await look(folder, next);
  rmSync(folder, { recursive: true, force: true });
  return found;
}

/** Until it has accepted so many, or rests. */
async function liveOnce(args: readonly string[], next: number[], kill: number): Promise<string | undefined> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const late = setTimeout(() => child.kill("SIGKILL"), REST_MS);
  let [lines, rested] = [0, false];
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, sender, n] = line.split(" ");
    if (what === "rested") rested = true;
    else next[Number(sender)] = Math.max(next[Number(sender)] ?? 0, Number(n) + 1);
    if (++lines === kill) child.kill("SIGKILL");
  }
  await exited;
  clearTimeout(late);
  if (rested || lines >= kill) return undefined;
  return `it ended by itself after ${lines} tells`;
}

async function look(folder: string, next: readonly number[]): Promise<string | undefined> {
  const wrong = await lookAtStore(await openState({ dir: folder }), next);
  const db = new DatabaseSync(join(folder, "state.sqlite"));
  const { integrity_check: said } = db.prepare("PRAGMA integrity_check").get() as { integrity_check: string };
  db.close();
  return wrong ?? (said === "ok" ? undefined : `integrity: ${said}`);
}

async function lookAtStore(opened: StateStore, next: readonly number[]): Promise<string | undefined> {
  await using store = opened;
  const { rows } = await store.usage("node");
  if (rows > 0) return `${rows} rows are stranded`;
  const buried = new Set<string>();
  for (let after = 0; ;) {
    const letters = await store.letters("node", { after, limit: 1_000 });
    const last = letters.at(-1);
    if (last === undefined) break;
    for (const { about } of letters) {
      const { request_id: id } = JSON.parse(about) as { request_id: string };
      if (buried.has(id)) return `${id} has two dead letters`;
      buried.add(id);
    }
    after = last.seq;
  }
  for (const [sender, accepted] of next.entries()) {
    const document = await store.get("node", "kv:order", String(sender));
    const list = (JSON.parse(document?.value ?? "[]") as string[]).map((id) => Number(id.split("-")[1]));
    const wrong = lookAtSender(list, buried, { sender, accepted });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function lookAtSender(
  list: readonly number[], buried: ReadonlySet<string>, { sender, accepted }: { readonly sender: number; readonly accepted: number },
): string | undefined {
  const handled = new Set(list);
  if (handled.size < list.length) return `sender ${sender}: an effect is there twice`;
  if (list.some((n, i) => i > 0 && n < (list[i - 1] ?? 0))) return `sender ${sender}: the order is lost: ${list.join(" ")}`;
  for (let n = 0; n < accepted; n++) {
    const letter = buried.has(`${sender}-${n}`);
    if (handled.has(n) === letter) return `${sender}-${n} ${letter ? "was handled and buried" : "is lost"}`;
  }
  return undefined;
}
