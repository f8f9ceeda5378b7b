/**
 * Goal: the state file says what a simple model says. Method: random batches, leases, times and attaches go to SQLite
 * and to the memory driver; after each step the answers, and everything that can be read, are the same.
 * Some batches are asked at once, and now and then the file is closed and opened again.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Batch, Commit, NewMail, Page, StateOp, StateStore } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { memoryState } from "@atoll-run/testkit";

const folder = mkdtempSync(join(tmpdir(), "atoll-state-model-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

const time = fc.nat(40);
const nth = fc.nat(6);
const request = fc.record({
  sender: fc.constantFrom("a", "b"), route: fc.constantFrom("r", "s"), request_id: fc.constantFrom("1", "2", "3", "4", "5", "6"),
  hash: fc.constantFrom("h", "i"),
});
const body = fc.uint8Array({ maxLength: 4 });
const mail: fc.Arbitrary<NewMail> = fc.tuple(request, fc.record({
  priority: fc.constantFrom("normal" as const, "high" as const), key: fc.constantFrom(null, "k", "l"), body,
  about: fc.constant("{}"), accepted_at_ms: time, expires_at_ms: fc.option(time), ready_at_ms: time,
})).map(([name, rest]) => ({ ...name, ...rest }));
const document = { space: fc.constantFrom("s", "t"), key: fc.constantFrom("", "k", "é") };

/** `seq`, `fence` and versions are drawn as the place among what was given so far; see `Run`. */
const op: fc.Arbitrary<StateOp> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("accept" as const), mail, lease_until_at_ms: fc.option(time) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("lease" as const), seq: nth, fence: nth, until_at_ms: time }) },
  { weight: 2, arbitrary: fc.record({
    op: fc.constant("release" as const), seq: nth, fence: nth, ready_at_ms: time, counted: fc.boolean(),
    parked: fc.option(fc.constantFrom("p", "q")),
  }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("settle" as const), seq: nth, fence: nth }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("remember" as const), answer: fc.tuple(request, fc.record({
    outcome: fc.constant("{}"), reply: fc.option(body), done_at_ms: time, forget_at_ms: time,
  })).map(([name, rest]) => ({ ...name, ...rest })) }) },
  fc.record({ op: fc.constant("forget" as const), limit: nth }),
  fc.record({ op: fc.constant("bury" as const), letter: fc.record({
    reason: fc.constant("x"), accepted: fc.boolean(), sender: fc.option(fc.constant("a")), route: fc.constant(null), body,
    about: fc.constant("{}"), dead_at_ms: time,
  }) }),
  fc.record({ op: fc.constant("mark" as const), seq: nth, redriving: fc.boolean(), about: fc.option(fc.constant("[]")) }),
  fc.record({ op: fc.constantFrom("purge" as const, "sent" as const), seq: nth }),
  fc.record({ op: fc.constant("send" as const), parcel: fc.record({
    to: fc.constantFrom("a", "b"), kind: fc.constantFrom("reply" as const, "tell" as const), body, about: fc.constant("{}"),
    send_at_ms: time, expires_at_ms: time,
  }) }),
  fc.record({ op: fc.constant("resend" as const), seq: nth, send_at_ms: time }),
  { weight: 2, arbitrary: fc.record({
    op: fc.constant("put" as const), ...document, value: fc.option(fc.constantFrom("1", "2")), if_version: fc.option(nth),
  }) },
  fc.record({ op: fc.constant("check" as const), ...document, version: nth }),
  { weight: 2, arbitrary: fc.record({ op: fc.constant("append" as const), journal: fc.constantFrom("j", "l"), body: fc.constant("{}") }) },
  fc.record(
    { op: fc.constant("trim" as const), journal: fc.constantFrom("j", "l"), above: nth, below: nth, limit: nth },
    { requiredKeys: ["op", "journal", "below", "limit"] },
  ),
);
const batch = fc.record({
  scope: fc.constantFrom("one", "one", "one", "two"), stale: fc.nat(19).map((n) => n === 0), at_ms: time,
  ops: fc.oneof({ weight: 8, arbitrary: fc.array(op, { minLength: 1, maxLength: 3 }) }, { weight: 1, arbitrary: fc.constant<StateOp[]>([{ op: "attach" }]) }),
});
const step = fc.oneof(
  { weight: 10, arbitrary: fc.array(batch, { minLength: 1, maxLength: 4 }) }, { weight: 1, arbitrary: fc.constant("reopen" as const) },
);

/** Batches of one op, few of which are refused: many rows wait for few keys. */
const move: fc.Arbitrary<StateOp> = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.nat(1_000_000), fc.constantFrom(null, "k", "l"), fc.constantFrom(0, 30)).map(([n, key, ready_at_ms]) => ({
    op: "accept" as const, lease_until_at_ms: null, mail: {
      sender: "a", route: "r", request_id: String(n), hash: "h", priority: "normal" as const, key, body: new Uint8Array(1), about: "{}",
      accepted_at_ms: 0, expires_at_ms: null, ready_at_ms,
    },
  })) },
  fc.record({ op: fc.constant("settle" as const), seq: nth, fence: fc.constantFrom(0, 3) }),
  fc.record({ op: fc.constant("lease" as const), seq: nth, fence: fc.constantFrom(0, 3), until_at_ms: fc.constantFrom(10, 30) }),
);
const moves = fc.array(move.map((one) => ({ scope: "one", stale: false, at_ms: 10, ops: [one] })), { minLength: 1, maxLength: 8 });
type Step = "reopen" | readonly (Omit<Batch, "epoch"> & { readonly stale: boolean })[];

/** Ops that give a new number of the store. */
const NUMBERED: ReadonlySet<StateOp["op"]> = new Set<StateOp["op"]>(["accept", "bury", "send", "append", "put"]);
/** Fences are mostly small. */
const FENCES = [0, 0, 1, 0, 1, 2, 1];
const RUNS = { numRuns: 40, interruptAfterTimeLimit: 30_000, endOnFailure: true };

/** One store in one run. Numbers differ between stores; their order does not, so they are spoken of by it. */
class Run {
  store: StateStore;
  readonly #seqs: number[] = [];
  /** Those of mail: most ops are about it, and should meet it. */
  readonly #rows: number[] = [];
  readonly #epochs = new Map<string, number>();

  constructor(store: StateStore) {
    this.store = store;
  }

  async commitAll(batches: readonly (Omit<Batch, "epoch"> & { readonly stale: boolean })[]): Promise<unknown[]> {
    const asked = batches.map(({ stale, ...rest }) => {
      const epoch = rest.ops[0]?.op === "attach" ? null : (this.#epochs.get(rest.scope) ?? 0) - (stale ? 1 : 0);
      return { ...rest, epoch, ops: rest.ops.map((one) => this.#real(one)) };
    });
    const commits = await Promise.all(asked.map((one) => this.store.commit(one)));
    for (const [i, one] of asked.entries()) this.#learn(one, commits[i]);
    return commits.map((one, i) => this.#plain(one.ok ? one.values.map((value, k) => this.#value(asked[i]?.ops[k], value)) : one));
  }

  async everything(): Promise<unknown> {
    const { store } = this;
    const page: Page = { after: 0, limit: 100 };
    const scopes = await Promise.all(["one", "two"].map(async (scope) => [
      await store.rows(scope, page), await store.ready(scope, { priority: "normal", at_ms: 20, limit: 100 }),
      await store.ready(scope, { priority: "high", at_ms: 40, limit: 2, except: ["a"] }), await store.expired(scope, 20, 100),
      await store.parked(scope, "p", 100), await store.outbox(scope, 20, 100), await store.outboxTo(scope, "a", page),
      await store.letters(scope, page), await store.keys(scope, "s", { prefix: "", after: null, limit: 9 }),
      await Promise.all(["", "k", "é"].map((key) => store.get(scope, "s", key))), await store.usage(scope), await store.wakes(scope, 20),
    ]));
    return this.#plain([scopes, await store.journal("j", page), await store.journal("l", page)]);
  }

  #learn({ scope, ops }: Batch, commit: Commit | undefined): void {
    if (commit === undefined || !commit.ok) return;
    for (const [i, { op: name }] of ops.entries()) {
      const value = commit.values[i] ?? 0;
      if (name === "attach") this.#epochs.set(scope, value);
      if (NUMBERED.has(name) && value > 0) this.#seqs.push(value);
      if (name === "accept") this.#rows.push(value);
    }
  }

  #real(one: StateOp): StateOp {
    const at = (n: number): number => this.#seqs.at(-1 - n) ?? 0;
    if (one.op === "put") return { ...one, if_version: one.if_version === null || one.if_version === 0 ? one.if_version : at(one.if_version - 1) };
    if (one.op === "check") return { ...one, version: one.version === 0 ? 0 : at(one.version - 1) };
    if (one.op === "trim") return { ...one, ...one.above === undefined ? {} : { above: at(one.above) }, below: at(one.below) };
    if ("fence" in one) return { ...one, seq: this.#rows.at(-1 - one.seq) ?? 0, fence: FENCES[one.fence] ?? 0 };
    return "seq" in one ? { ...one, seq: at(one.seq) } : one;
  }

  #plain(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value, (name, one: unknown) => {
      if (name === "seq" || name === "version") return this.#ordinal(one as number);
      return one instanceof Uint8Array ? [...one] : one;
    })) as unknown;
  }

  #value(one: StateOp | undefined, value: number): unknown {
    return one !== undefined && (NUMBERED.has(one.op) || one.op === "check") ? this.#ordinal(value) : value;
  }

  #ordinal(n: number): unknown {
    const at = this.#seqs.indexOf(n);
    // Unknown: a row of the refused batch itself.
    return at >= 0 ? `#${at}` : n === 0 ? 0 : "taken back";
  }
}

async function compare(steps: readonly Step[]): Promise<void> {
  const dir = join(folder, `${++folders}`);
  const model = new Run(memoryState());
  const file = new Run(await openState({ dir, durability: "normal" }));
  try {
    for (const one of steps) {
      if (one === "reopen") {
        await file.store[Symbol.asyncDispose]();
        file.store = await openState({ dir, durability: "normal" });
      } else assert.deepEqual(await file.commitAll(one), await model.commitAll(one));
      assert.deepEqual(await file.everything(), await model.everything());
    }
  } finally {
    await file.store[Symbol.asyncDispose]();
  }
}

test("any batches give what the model gives, and the same is there after the file was opened again", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 14 }), compare), RUNS);
});

test("rows of few keys are offered as the model offers them, whatever is leased, released and settled", async () => {
  await fc.assert(fc.asyncProperty(fc.array(moves, { minLength: 2, maxLength: 8 }), compare), RUNS);
});
