/**
 * SIGKILL at random moments of whole nodes: a service in TypeScript and a Lua block, behind WebSockets and a realm,
 * which a client calls and tells all the while. Each request that was acknowledged has had its effect once, each other
 * at most once; the tells of a sender were handled in their order; nothing waits in the end.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createNode, createRealm, service, type NodeHandle } from "@atoll-run/atoll/node";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { BANK, COUNTER } from "./fixtures/node-life.ts";

const FAILURES_MAX = 10;
/** Lives that are killed, of one round. */
const KILLS = 4;
/** A life is killed after so many answers at most. */
const ANSWERS_MAX = 120;
const SENDERS = 6;
const REST_MS = 60_000;
const ASK_MS = 2_500;
const program = fileURLToPath(new URL("./fixtures/node-life.ts", import.meta.url));

export const proof: Proof = {
  issue: "C",
  title: "after kill -9 of a service and a Lua block each acknowledged request has had its effect once, in order of its sender",
  sharePercent: 10,
  full: 50,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const root = mkdtempSync(join(tmpdir(), "atoll-node-kill-"));
    const failures: string[] = [];
    let rounds = 0;
    try {
      while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < FAILURES_MAX) {
        const wrong = await runRound(join(root, String(from + rounds)), roundSeed(seed, from + rounds));
        failures.push(...wrong.map((text) => `round ${from + rounds}: ${text}`));
        rounds += 1;
        onRound();
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
    return { rounds, failures };
  },
};

interface Asked {
  readonly id: string;
  readonly sender: string;
  readonly n: number;
  readonly to: "Bank" | "Counter";
  readonly isCall: boolean;
  acknowledged: boolean;
}

interface Sender {
  readonly name: string;
  readonly to: Asked["to"];
  readonly asked: Asked[];
  unanswered: Asked | undefined;
}

const TYPES = { Bank: BANK, Counter: COUNTER } as const;
const Client = service({ type: "acme:client:1.0.0", name: "acme.Client", routes: {} });

async function runRound(folder: string, seed: number): Promise<readonly string[]> {
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  await using client = await createNode({ name: "client", memory: true, realm: { url }, listen: false }).link(Client.implement({})).start();
  const senders = Array.from({ length: SENDERS }, (_, at): Sender =>
    ({ name: `s${at}`, to: at % 2 === 0 ? "Bank" : "Counter", asked: [], unanswered: undefined }));
  for (let life = 0; life < KILLS; life++) {
    await liveOnce({ client, url, folder, senders }, 1 + roundSeed(seed, life) % ANSWERS_MAX);
  }
  const wrong = await lookAfter({ client, url, folder }, senders);
  rmSync(folder, { recursive: true, force: true });
  return wrong;
}

interface Life {
  readonly client: NodeHandle;
  readonly url: string;
  readonly folder: string;
}

/** Asks until so many were answered, then kills. Whoever waits then does not know, and asks the next life again. */
async function liveOnce(o: Life & { readonly senders: readonly Sender[] }, answers: number): Promise<void> {
  const { child, lines } = begin(o);
  const exited = once(child, "exit");
  if ((await lines.next()).value !== "up") throw new Error("the nodes did not start");
  let [done, killed] = [0, false];
  await Promise.all(o.senders.map(async (sender) => {
    while (!killed) {
      const request = sender.unanswered ?? newRequest(sender);
      sender.unanswered = await ask(o.client, request) ? undefined : request;
      request.acknowledged = sender.unanswered === undefined;
      if (++done < answers || killed) continue;
      killed = true;
      child.kill("SIGKILL");
    }
  }));
  await exited;
}

function newRequest(sender: Sender): Asked {
  const { name, to, asked } = sender;
  const n = asked.length;
  const request = { id: `${name}.${n}`, sender: name, n, to, isCall: n % 3 === 2, acknowledged: false };
  asked.push(request);
  return request;
}

/** Under the same request id each time: the nodes must tell it is the same. */
async function ask(client: NodeHandle, { id, sender, n, to, isCall }: Asked): Promise<boolean> {
  const body = Buffer.from(JSON.stringify({ id, sender, n }));
  const how = { to: TYPES[to], deadlineMs: ASK_MS, requestId: id };
  const asking: Promise<unknown> = isCall ? client.callRaw(`acme.${to}.Put`, body, how) : client.tellRaw(`acme.${to}.Note`, body, how);
  return await asking.then(() => true, () => false);
}

/** A last life that nobody kills: what is there when nothing waits any more. */
async function lookAfter(o: Life, senders: readonly Sender[]): Promise<readonly string[]> {
  const { child, lines } = begin(o);
  const exited = once(child, "exit");
  const late = setTimeout(() => child.kill("SIGKILL"), REST_MS);
  const wrong: string[] = [];
  try {
    for (const wanted of ["up", "rested"]) if ((await lines.next()).value !== wanted) return [`the last life was not ${wanted} in time`];
    const read = async (to: Asked["to"], key: string): Promise<unknown> => {
      const answer = await o.client.callRaw(`acme.${to}.Read`, Buffer.from(JSON.stringify({ key })), { to: TYPES[to], deadlineMs: 30_000 });
      return JSON.parse(Buffer.from(answer).toString());
    };
    await Promise.all(senders.map(async ({ name, to, asked }) => {
      for (const { id, acknowledged } of asked) {
        const times = Number(await read(to, `seen/${id}`) ?? 0);
        if (times > 1 || acknowledged && times === 0) wrong.push(`${to} ${id}: ${acknowledged ? "acknowledged" : "unknown"}, done ${times} times`);
      }
      const list = await read(to, `list/${name}`) as readonly number[] | null ?? [];
      if (list.some((n, at) => at > 0 && n <= (list[at - 1] ?? 0))) wrong.push(`${name}: out of order: ${list.join()}`);
    }));
    child.stdin?.end();
    await exited;
  } finally {
    clearTimeout(late);
    child.kill("SIGKILL");
  }
  return wrong;
}

function begin({ url, folder }: Life): { readonly child: ChildProcess; readonly lines: AsyncIterator<string> } {
  const child = spawn(process.execPath, [program, url, folder], { stdio: ["pipe", "pipe", "inherit"] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}
