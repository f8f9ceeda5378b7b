/** Goal: table 3.3. Invariant: no event sequence leaves it. Method: one test a row, and random sequences. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BrokenKind, FINAL_STATES, LIFE_TABLE, type Life, type LifeEvent, type LifeState, NOBODY, stepLife,
} from "@atoll-run/mob/internal";

const RULES = { restart: "on_failure", now_ms: 1_000_000, chance: 0.5 } as const;
const at = (state: LifeState, more: Partial<Life> = {}): Life => ({ ...NOBODY, state, generation: state === "none" ? 0 : 3, first: false, ...more });

const spawn = { is: "spawn", lazy: false, fresh: false } as const;
const failed = { is: "start_failed", kind: "start_failed", detail: "no" } as const;
const crashed = { is: "crashed", detail: "out of memory" } as const;
const retire = { is: "retire", drain_ms: 30_000, queued: false } as const;

interface Row {
  readonly event: LifeEvent;
  readonly from: Life;
  readonly to: LifeState;
  readonly entries: readonly string[];
  readonly does: readonly string[];
  readonly rules?: Partial<Omit<typeof RULES, "restart">> & { readonly restart?: "on_failure" | "always" | "never" };
}

const ROWS: Readonly<Record<string, Row>> = {
  "spawn makes a member start": { event: spawn, from: NOBODY, to: "starting", entries: ["member_spawning"], does: ["start"] },
  "a lazy one is dormant until its first mail": { event: { ...spawn, lazy: true }, from: NOBODY, to: "dormant", entries: ["member_spawning", "member_spawned"], does: [] },
  "a retired id is revived with the next generation": { event: spawn, from: at("retired"), to: "starting", entries: ["member_spawning"], does: ["start"] },
  "a revived id gets a new session only when it is to be fresh": { event: { ...spawn, fresh: true }, from: at("completed"), to: "starting", entries: ["member_spawning"], does: ["start"] },
  "wake starts a dormant member": { event: { is: "wake" }, from: at("dormant"), to: "starting", entries: [], does: ["start"] },
  "a member that has started is active": { event: { is: "started" }, from: at("starting"), to: "active", entries: ["member_started"], does: [] },
  "the first start says that it is spawned": { event: { is: "started" }, from: at("starting", { first: true }), to: "active", entries: ["member_spawned", "member_started"], does: [] },
  "a start that fails is tried again": { event: failed, from: at("starting"), to: "dormant", entries: [], does: ["retry"] },
  "after five tries it is broken, and repaired by itself": { event: failed, from: at("starting", { tries: 4 }), to: "broken", entries: ["member_broken"], does: ["mend"] },
  "what somebody has to mend breaks it at once, and leaves the member there": {
    event: { ...failed, kind: "model_missing" }, from: at("starting", { first: true, generation: 1 }), to: "broken", entries: ["member_broken"], does: ["mend"],
  },
  "a first spawn that fails leaves no member": { event: failed, from: at("starting", { tries: 4, first: true, generation: 1 }), to: "none", entries: ["member_spawn_failed"], does: ["stop", "bury_queue", "leave_edges"] },
  "an idle member is dormant": { event: { is: "idle", busy: false }, from: at("active"), to: "dormant", entries: ["member_dormant"], does: ["sleep"] },
  "a crash starts it again and its turn is delivered again": { event: crashed, from: at("active"), to: "starting", entries: [], does: ["stop", "start"] },
  "five crashes in five minutes break it": { event: crashed, from: at("active", { crashes: [999_000, 999_001, 999_002, 999_003] }), to: "broken", entries: ["member_broken"], does: ["stop", "mend"] },
  "old crashes are forgotten": { event: crashed, from: at("active", { crashes: [1, 2, 3, 4] }), to: "starting", entries: [], does: ["stop", "start"] },
  "restart = never: a crash completes it, and nobody works off what is left": { event: crashed, from: at("active"), to: "completed", entries: ["member_completed"], does: ["stop", "bury_queue"], rules: { restart: "never" } },
  "an exit completes it": { event: { is: "exited" }, from: at("active"), to: "completed", entries: ["member_completed"], does: ["stop", "bury_queue"] },
  "restart = always: an exit starts it again": { event: { is: "exited" }, from: at("active"), to: "starting", entries: [], does: ["stop", "start"], rules: { restart: "always" } },
  "suspend aborts the turn and puts it back": { event: { is: "suspend", why: "lease_lost" }, from: at("active"), to: "suspended", entries: ["member_suspended"], does: ["stop"] },
  "resume makes it dormant": { event: { is: "resume" }, from: at("suspended"), to: "dormant", entries: ["member_dormant"], does: ["sleep"] },
  "retire drains": { event: retire, from: at("active"), to: "retiring", entries: ["member_retiring"], does: ["drain"] },
  "retire wakes a dormant member that has mail": { event: { ...retire, queued: true }, from: at("dormant"), to: "retiring", entries: ["member_retiring"], does: ["start", "drain"] },
  "what is drained is retired": { event: { is: "drained" }, from: at("retiring"), to: "retired", entries: ["member_retired"], does: ["stop", "bury_queue", "leave_edges"] },
  "what is not drained in time is retired all the same": { event: { is: "drain_deadline" }, from: at("retiring"), to: "retired", entries: ["member_retired"], does: ["stop", "bury_queue", "leave_edges"] },
  "respawn is the next generation, its queue stays": { event: { is: "respawn" }, from: at("active"), to: "starting", entries: ["member_respawned"], does: ["stop", "start"] },
  "reset is the next generation with a new session, its queue is buried": { event: { is: "reset" }, from: at("active"), to: "starting", entries: ["member_reset"], does: ["stop", "bury_queue", "start"] },
  "reload keeps state and generation": { event: { is: "reload" }, from: at("active"), to: "active", entries: ["member_reloaded"], does: ["reload"] },
  "reload starts one that is on its way again": { event: { is: "reload" }, from: at("starting"), to: "starting", entries: ["member_reloaded"], does: ["stop", "start"] },
  "who does not run reads all of it at its next start": { event: { is: "reload" }, from: at("broken"), to: "broken", entries: ["member_reloaded"], does: [] },
  "after the turns that run its code is made anew": { event: { is: "renew" }, from: at("active"), to: "starting", entries: [], does: ["stop", "start"] },
  "who loses his node on his way begins anew": { event: { is: "renew" }, from: at("starting"), to: "starting", entries: [], does: ["stop", "start"] },
  "a broken member is repaired by itself": { event: { is: "mend" }, from: at("broken"), to: "starting", entries: ["member_repaired"], does: ["start"] },
  "repair starts a broken member": { event: { is: "repair" }, from: at("broken"), to: "starting", entries: ["member_repaired"], does: ["start"] },
};

for (const [title, { event, from, to, entries, does, rules }] of Object.entries(ROWS)) {
  test(title, () => {
    const step = stepLife(from, event, { ...RULES, ...rules });
    assert.equal(step?.life.state, to);
    assert.deepEqual(step?.entries.map(({ kind }) => kind), entries);
    assert.deepEqual(step?.actions.map((action) => action.do), does);
    const moved = ["spawn", "respawn", "reset"].includes(event.is) ? 1 : 0;
    if (to !== "none") assert.equal(step?.life.generation, from.generation + moved, "generation moves by spawn, respawn and reset only");
  });
}

test("the running turn of a respawned member fails as interrupted, that of a crashed one is put back", () => {
  const turn = (event: LifeEvent) => stepLife(at("active"), event, RULES)?.actions.find((action) => action.do === "stop");
  assert.deepEqual(turn({ is: "respawn" }), { do: "stop", turn: "interrupted" });
  assert.deepEqual(turn(crashed), { do: "stop", turn: "requeue" });
});

test("a member that has work does not become dormant", () => {
  assert.equal(stepLife(at("active"), { is: "idle", busy: true }, RULES), undefined);
});

/** Breaks it, mends it, and so on: milliseconds until each mend, null where it is left alone. */
function breaks(kinds: readonly BrokenKind[], o: { readonly wellMs?: number } = {}): readonly (number | null)[] {
  let life = at("starting");
  let nowMs = 1_000_000;
  const rules = () => ({ ...RULES, now_ms: nowMs });
  return kinds.map((kind) => {
    const broken = stepLife({ ...life, tries: 4 }, { is: "start_failed", kind, detail: "no" }, rules());
    const mend = broken?.actions.find((action) => action.do === "mend");
    assert.equal(broken?.entries[0]?.data["parked"], mend === undefined);
    nowMs += mend?.after_ms ?? 600_000;
    life = (stepLife(broken?.life ?? life, { is: mend === undefined ? "repair" : "mend" }, rules()) ?? { life }).life;
    nowMs += o.wellMs ?? 1_000;
    return mend?.after_ms ?? null;
  });
}

test("a broken member is tried again after 30 s, doubling to 10 min; three of these that end alike park it, but never for the store", () => {
  assert.deepEqual(breaks(["start_failed", "start_failed", "start_failed", "start_failed"]), [30_000, 60_000, 120_000, null]);
  const mixed = ["start_failed", "snapshot_missing", "start_failed", "model_missing", "start_failed", "snapshot_missing", "start_failed"] as const;
  assert.deepEqual(breaks(mixed), [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  assert.deepEqual(breaks(Array.from({ length: 8 }, () => "store_unavailable")), [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
  assert.deepEqual(breaks(["start_failed", "start_failed", "start_failed", "start_failed"], { wellMs: 301_000 }), [30_000, 30_000, 30_000, 30_000], "it was well in between");
  const parked = breaks(["start_failed", "start_failed", "start_failed", "start_failed", "start_failed"]);
  assert.equal(parked.at(-1), 30_000, "who is repaired by somebody begins anew");
});

const EVENTS: Readonly<Record<keyof typeof LIFE_TABLE, LifeEvent>> = {
  spawn, wake: { is: "wake" }, started: { is: "started" }, start_failed: failed, idle: { is: "idle", busy: false }, crashed,
  exited: { is: "exited" }, suspend: { is: "suspend", why: "operator" }, resume: { is: "resume" }, retire,
  drained: { is: "drained" }, drain_deadline: { is: "drain_deadline" }, respawn: { is: "respawn" }, reset: { is: "reset" },
  reload: { is: "reload" }, repair: { is: "repair" }, retry: { is: "retry" }, renew: { is: "renew" }, mend: { is: "mend" },
};

/** Table 3.3 as a whole: event → where it was → where it may be then. */
const NEXT: Readonly<Record<keyof typeof LIFE_TABLE, { readonly [from in LifeState]?: readonly LifeState[] }>> = {
  spawn: { none: ["starting", "dormant"], retired: ["starting", "dormant"], completed: ["starting", "dormant"] },
  wake: { dormant: ["starting"] },
  retry: { dormant: ["starting"] },
  started: { starting: ["active"], retiring: ["retiring"] },
  start_failed: { starting: ["dormant", "broken", "none"], retiring: ["retiring"] },
  idle: { active: ["dormant"] },
  crashed: { active: ["starting", "broken", "completed"], retiring: ["retiring"] },
  exited: { active: ["starting", "completed"], retiring: ["retired"] },
  suspend: { starting: ["suspended"], active: ["suspended"], dormant: ["suspended"] },
  resume: { suspended: ["dormant"] },
  retire: { starting: ["retiring"], active: ["retiring"], dormant: ["retiring"], suspended: ["retiring"], broken: ["retiring"] },
  drained: { retiring: ["retired"] },
  drain_deadline: { retiring: ["retired"] },
  respawn: { starting: ["starting"], active: ["starting"], dormant: ["starting"], suspended: ["starting"], broken: ["starting"] },
  reset: { starting: ["starting"], active: ["starting"], dormant: ["starting"], suspended: ["starting"], broken: ["starting"] },
  reload: { starting: ["starting"], active: ["active"], dormant: ["dormant"], suspended: ["suspended"], broken: ["broken"] },
  renew: { starting: ["starting"], active: ["starting"], retiring: ["retiring"] },
  repair: { broken: ["starting"] },
  mend: { broken: ["starting"] },
};

const STATES = ["none", "starting", "active", "dormant", "suspended", "broken", "retiring", "retired", "completed"] as const;
/** What decides between the ends of one row. */
const VARIANTS: readonly Partial<Life>[] = [
  {}, { first: true, generation: 1, tries: 4 }, { tries: 4 }, { crashes: [999_000, 999_001, 999_002, 999_003] },
];

test("each event leads from each state where the table says, to all of it and nowhere else", () => {
  for (const name of Object.keys(NEXT) as (keyof typeof NEXT)[]) {
    for (const state of STATES) {
      const reached = new Set<LifeState>();
      for (const restart of ["on_failure", "always", "never"] as const) {
        for (const variant of VARIANTS) {
          for (const event of [EVENTS[name], { ...EVENTS[name], lazy: true } as LifeEvent]) {
            const step = stepLife(at(state, variant), event, { ...RULES, restart });
            if (step !== undefined) reached.add(step.life.state);
          }
        }
      }
      assert.deepEqual([...reached].sort(), [...NEXT[name][state] ?? []].sort(), `${name} in ${state}`);
    }
  }
});

test("an event without a row for the state does nothing", () => {
  for (const [name, states] of Object.entries(LIFE_TABLE)) {
    for (const state of [...FINAL_STATES, "starting", "active", "dormant", "suspended", "broken", "retiring"] as const) {
      const step = stepLife(at(state), EVENTS[name as keyof typeof LIFE_TABLE], RULES);
      assert.equal(step !== undefined, (states as readonly LifeState[]).includes(state), `${name} in ${state}`);
    }
  }
});

test("any sequence of events stays in the table, and the generation never falls", () => {
  const event = fc.constantFrom(...Object.values(EVENTS));
  fc.assert(fc.property(
    fc.array(fc.tuple(event, fc.constantFrom("on_failure", "always", "never"), fc.double({ min: 0, max: 0.99, noNaN: true })), { maxLength: 60 }),
    (sequence) => {
      let life = NOBODY;
      let [nowMs, highest] = [0, 0];
      for (const [one, restart, chance] of sequence) {
        nowMs += 10_000;
        const step = stepLife(life, one, { restart, chance, now_ms: nowMs });
        if (step === undefined) continue;
        assert.ok(NEXT[one.is][life.state]?.includes(step.life.state), `${one.is}: ${life.state} → ${step.life.state}`);
        assert.ok(step.life.crashes.length <= 5);
        if (step.life.state !== "none") assert.ok(step.life.generation >= highest);
        highest = step.life.state === "none" ? 0 : step.life.generation;
        for (const action of step.actions) if ("after_ms" in action) assert.ok(action.after_ms >= 0 && action.after_ms <= (action.do === "mend" ? 720_000 : 72_000));
        for (const entry of step.entries) assert.equal(entry.data["generation"], step.life.state === "none" ? 0 : step.life.generation);
        life = step.life;
      }
    },
  ), { numRuns: 500 });
});
