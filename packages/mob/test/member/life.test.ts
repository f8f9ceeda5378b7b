/** Goal: table 3.3. Invariant: no event sequence leaves it. Method: one test a row, and random sequences. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MOB_LIMITS } from "@atoll-run/mob";
import {
  type BrokenKind, FINAL_STATES, LIFE_TABLE, type Life, type LifeEvent, type LifeState, NO_MENDS, NOBODY, stepLife,
} from "@atoll-run/mob/internal";

const RULES = { limits: MOB_LIMITS, restart: "on_failure", now_ms: 1_000_000, chance: 0.5 } as const;
const at = (state: LifeState, more: Partial<Life> = {}): Life => ({ ...NOBODY, state, generation: state === "none" ? 0 : 3, first: false, ...more });

const spawn = { is: "spawn", lazy: false, fresh: false } as const;
const failed = { is: "start_failed", kind: "start_failed", detail: "no" } as const;
const crashed = { is: "crashed", detail: "out of memory" } as const;
const retire = { is: "retire", drain_ms: 30_000, queued: false } as const;

interface Row {
  readonly event: LifeEvent;
  readonly from: Life;
  readonly to: LifeState;
  /** Kind, and what it says besides state, from and generation. */
  readonly entries: readonly (readonly [kind: string, data?: Readonly<Record<string, unknown>>])[];
  /** In this order; a number is milliseconds. */
  readonly does: readonly string[];
  /** What else of it is other than before. */
  readonly life?: Partial<Life>;
  readonly rules?: Partial<Omit<typeof RULES, "restart">> & { readonly restart?: "on_failure" | "always" | "never" };
}

const NOW = RULES.now_ms;
const OFTEN = [NOW - 1_000, NOW - 999, NOW - 998, NOW - 997];
const RESTARTS = ["stop requeue", "start 0"];
const RETIRES = ["stop requeue", "bury_queue member_retired", "leave_edges"];
const MENDED = { tries: 0, crashes: [], mends: NO_MENDS };
const BROKE = { count: 1, same: 1, at_ms: 0 };

const ROWS: Readonly<Record<string, Row>> = {
  "spawn makes a member start": { event: spawn, from: NOBODY, to: "starting", entries: [["member_spawning", { lazy: false }]], does: ["start 0"] },
  "a lazy one is dormant until its first mail": {
    event: { ...spawn, lazy: true }, from: NOBODY, to: "dormant", entries: [["member_spawning", { lazy: true }], ["member_spawned"]], does: [], life: { first: false },
  },
  "a retired id is revived with the next generation": { event: spawn, from: at("retired"), to: "starting", entries: [["member_spawning", { lazy: false }]], does: ["start 0"] },
  "a revived id is not held to what it failed before": {
    event: spawn, from: at("completed", { tries: 4, crashes: OFTEN, mends: { ...NO_MENDS, count: 3 } }), to: "starting", entries: [["member_spawning", { lazy: false }]], does: ["start 0"], life: MENDED,
  },
  "a revived id gets a new session only when it is to be fresh": { event: { ...spawn, fresh: true }, from: at("completed"), to: "starting", entries: [["member_spawning", { lazy: false, fresh: true }]], does: ["start 0"] },
  "who was never there has no session to begin anew": { event: { ...spawn, fresh: true }, from: NOBODY, to: "starting", entries: [["member_spawning", { lazy: false }]], does: ["start 0"] },
  "wake starts a dormant member": { event: { is: "wake" }, from: at("dormant"), to: "starting", entries: [["member_starting", { why: "wake" }]], does: ["start 0"] },
  "a start is tried again": { event: { is: "retry" }, from: at("dormant", { tries: 2 }), to: "starting", entries: [["member_starting", { why: "retry" }]], does: ["start 0"] },
  "a member that has started is active, and its tries are forgotten": { event: { is: "started" }, from: at("starting", { tries: 3 }), to: "active", entries: [["member_started"]], does: [], life: { tries: 0 } },
  "the first start says that it is spawned": { event: { is: "started" }, from: at("starting", { first: true }), to: "active", entries: [["member_spawned"], ["member_started"]], does: [], life: { first: false } },
  "one that retires starts for what it has": { event: { is: "started" }, from: at("retiring"), to: "retiring", entries: [["member_started"]], does: [] },
  "a start that fails is tried again": { event: failed, from: at("starting"), to: "dormant", entries: [["member_dormant", { why: "start_failed", kind: "start_failed", detail: "no", tries: 1, after_ms: 1_000 }]], does: ["retry 1000"], life: { tries: 1 } },
  "each later than the one before": { event: failed, from: at("starting", { tries: 3 }), to: "dormant", entries: [["member_dormant", { why: "start_failed", kind: "start_failed", detail: "no", tries: 4, after_ms: 8_000 }]], does: ["retry 8000"], life: { tries: 4 } },
  "after five tries it is broken, and repaired by itself": {
    event: failed, from: at("starting", { tries: 4 }), to: "broken", entries: [["member_broken", { kind: "start_failed", detail: "no", tries: 5, parked: false }]], does: ["mend 30000"],
    life: { tries: 5, mends: { ...BROKE, why: "start_failed: no" } },
  },
  "what somebody has to mend breaks it at once, and leaves the member there": {
    event: { ...failed, kind: "model_missing" }, from: at("starting", { first: true, generation: 1 }), to: "broken",
    entries: [["member_broken", { kind: "model_missing", detail: "no", tries: 5, parked: false }]], does: ["mend 30000"], life: { tries: 5, first: false, mends: { ...BROKE, why: "model_missing: no" } },
  },
  "a first spawn that fails leaves no member": {
    event: failed, from: at("starting", { tries: 4, first: true, generation: 1 }), to: "none", entries: [["member_spawn_failed", { kind: "start_failed", detail: "no", tries: 5 }]],
    does: ["stop requeue", "bury_queue member_spawn_failed", "leave_edges"],
  },
  "one that was started anew before it ever was active stays, broken": {
    event: failed, from: at("starting", { tries: 4, first: true, generation: 2 }), to: "broken", entries: [["member_broken", { kind: "start_failed", detail: "no", tries: 5, parked: false }]],
    does: ["mend 30000"], life: { tries: 5, first: false, mends: { ...BROKE, why: "start_failed: no" } },
  },
  "what cannot be worked off is left to the deadline": { event: failed, from: at("retiring", { tries: 4 }), to: "retiring", entries: [], does: [], life: { tries: 5 } },
  "an idle member is dormant": { event: { is: "idle", busy: false }, from: at("active"), to: "dormant", entries: [["member_dormant"]], does: ["sleep"] },
  "a crash starts it again and its turn is delivered again": { event: crashed, from: at("active"), to: "starting", entries: [["member_starting", { why: "crashed", detail: "out of memory", after_ms: 1_000 }]], does: ["stop requeue", "start 1000"], life: { crashes: [NOW] } },
  "the next crash later": { event: crashed, from: at("active", { crashes: OFTEN.slice(0, 3) }), to: "starting", entries: [["member_starting", { why: "crashed", detail: "out of memory", after_ms: 8_000 }]], does: ["stop requeue", "start 8000"], life: { crashes: [...OFTEN.slice(0, 3), NOW] } },
  "five crashes in five minutes break it": {
    event: crashed, from: at("active", { crashes: OFTEN }), to: "broken", entries: [["member_broken", { kind: "crashed", detail: "out of memory", parked: false }]], does: ["stop requeue", "mend 30000"],
    life: { crashes: [...OFTEN, NOW], mends: { ...BROKE, why: "crashed: out of memory" } },
  },
  "crashes of five minutes ago are forgotten": {
    event: crashed, from: at("active", { crashes: [NOW - 300_000, NOW - 299_999, NOW - 2, NOW - 1] }), to: "starting", entries: [["member_starting", { why: "crashed", detail: "out of memory", after_ms: 8_000 }]], does: ["stop requeue", "start 8000"], life: { crashes: [NOW - 299_999, NOW - 2, NOW - 1, NOW] },
  },
  "restart = never: a crash completes it, and nobody works off what is left": {
    event: crashed, from: at("active"), to: "completed", entries: [["member_completed", { detail: "out of memory" }]], does: ["stop requeue", "bury_queue member_completed", "leave_edges"], rules: { restart: "never" }, life: { crashes: [NOW] },
  },
  "a crash while it retires starts it again for what it has": { event: crashed, from: at("retiring"), to: "retiring", entries: [], does: ["stop requeue", "start 1000"], life: { crashes: [NOW] } },
  "an exit completes it": { event: { is: "exited" }, from: at("active"), to: "completed", entries: [["member_completed"]], does: ["stop requeue", "bury_queue member_completed", "leave_edges"] },
  "restart = always: an exit starts it again": { event: { is: "exited" }, from: at("active"), to: "starting", entries: [["member_starting", { why: "exited", after_ms: 1_000 }]], does: ["stop requeue", "start 1000"], rules: { restart: "always" } },
  "an exit while it retires is its end, whatever restart says": { event: { is: "exited" }, from: at("retiring"), to: "retired", entries: [["member_retired", { why: "drained" }]], does: RETIRES, rules: { restart: "always" } },
  "suspend aborts the turn and puts it back": { event: { is: "suspend", why: "lease_lost" }, from: at("active"), to: "suspended", entries: [["member_suspended", { why: "lease_lost" }]], does: ["stop requeue"] },
  "resume makes it dormant": { event: { is: "resume" }, from: at("suspended"), to: "dormant", entries: [["member_dormant"]], does: ["sleep"] },
  "retire drains": { event: retire, from: at("active"), to: "retiring", entries: [["member_retiring", { drain_ms: 30_000 }]], does: ["drain 30000"] },
  "retire starts nobody who is there already": { event: { ...retire, queued: true }, from: at("active"), to: "retiring", entries: [["member_retiring", { drain_ms: 30_000 }]], does: ["drain 30000"] },
  "retire lets a dormant member sleep that has no mail": { event: { ...retire, drain_ms: 0 }, from: at("dormant"), to: "retiring", entries: [["member_retiring", { drain_ms: 0 }]], does: ["drain 0"] },
  "retire wakes a dormant member that has mail": { event: { ...retire, queued: true }, from: at("dormant"), to: "retiring", entries: [["member_retiring", { drain_ms: 30_000 }]], does: ["start 0", "drain 30000"] },
  "what is drained is retired": { event: { is: "drained" }, from: at("retiring"), to: "retired", entries: [["member_retired", { why: "drained" }]], does: RETIRES },
  "what is not drained in time is retired all the same": { event: { is: "drain_deadline" }, from: at("retiring"), to: "retired", entries: [["member_retired", { why: "drain_deadline" }]], does: RETIRES },
  "respawn is the next generation: the running turn fails, the queue stays": {
    event: { is: "respawn" }, from: at("active", { tries: 2, crashes: OFTEN }), to: "starting", entries: [["member_respawned"]], does: ["stop interrupted", "start 0"], life: MENDED,
  },
  "reset is the next generation with a new session, its queue is buried": {
    event: { is: "reset" }, from: at("active", { crashes: OFTEN }), to: "starting", entries: [["member_reset"]], does: ["stop interrupted", "bury_queue member_reset", "start 0"], life: MENDED,
  },
  "reload keeps state and generation": { event: { is: "reload" }, from: at("active"), to: "active", entries: [["member_reloaded"]], does: ["reload"] },
  "reload starts one that is on its way again": { event: { is: "reload" }, from: at("starting"), to: "starting", entries: [["member_reloaded"]], does: RESTARTS },
  "who does not run reads all of it at its next start": { event: { is: "reload" }, from: at("broken"), to: "broken", entries: [["member_reloaded"]], does: [] },
  "after the turns that run its code is made anew": { event: { is: "renew" }, from: at("active"), to: "starting", entries: [["member_starting", { why: "renew" }]], does: RESTARTS },
  "who loses his node on his way begins anew": { event: { is: "renew" }, from: at("starting"), to: "starting", entries: [["member_starting", { why: "renew" }]], does: RESTARTS },
  "who loses it while he retires goes on retiring": { event: { is: "renew" }, from: at("retiring"), to: "retiring", entries: [], does: RESTARTS },
  "a broken member is repaired by itself": {
    event: { is: "mend" }, from: at("broken", { tries: 5, crashes: OFTEN, mends: { ...BROKE, why: "w" } }), to: "starting", entries: [["member_repaired", { mends: 1 }]], does: ["start 0"],
    life: { tries: 0, crashes: [], mends: { ...BROKE, why: "w", at_ms: NOW } },
  },
  "repair starts a broken member, and nothing is held against it": {
    event: { is: "repair" }, from: at("broken", { tries: 5, crashes: OFTEN, mends: { ...BROKE, count: 9, why: "w" } }), to: "starting", entries: [["member_repaired"]], does: ["start 0"], life: MENDED,
  },
};

/** Those events begin a generation. */
const NEXT_GENERATION: ReadonlySet<string> = new Set(["spawn", "respawn", "reset"]);

for (const [title, { event, from, to, entries, does, life = {}, rules }] of Object.entries(ROWS)) {
  test(title, () => {
    const step = stepLife(from, event, { ...RULES, ...rules });
    const generation = from.generation + (NEXT_GENERATION.has(event.is) ? 1 : 0);
    const isNew = from.state === "none";
    assert.deepEqual(step?.life, to === "none" ? NOBODY : { ...from, ...isNew ? { first: true } : {}, state: to, generation, ...life });
    const said = { state: to, from: to === "none" ? "none" : from.state, generation: to === "none" ? 0 : generation };
    assert.deepEqual(step?.entries.map(({ kind, data }) => [kind, data]), entries.map(([kind, data = {}]) => [kind, { ...data, ...said }]));
    assert.deepEqual(step?.actions.map(({ do: what, ...how }) => [what, ...Object.values(how)].join(" ")), does);
  });
}

test("how often and how long it is tried are limits of its mob", () => {
  const limits = { ...MOB_LIMITS, startTries: 2, startBackoffMs: 10, startBackoffMsMax: 15, crashesMax: 2, crashWindowMs: 5, repairMs: 7 };
  const rules = { ...RULES, limits };
  const step = (from: Life, event: LifeEvent) => stepLife(from, event, rules);
  assert.deepEqual(step(at("starting"), failed)?.actions, [{ do: "retry", after_ms: 10 }]);
  assert.deepEqual(step(at("starting", { tries: 1 }), failed)?.actions, [{ do: "mend", after_ms: 7 }]);
  assert.equal(step(at("active", { crashes: [NOW - 4] }), crashed)?.life.state, "broken");
  assert.equal(step(at("active", { crashes: [NOW - 5] }), crashed)?.life.state, "starting");
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
        const step = stepLife(life, one, { ...RULES, restart, chance, now_ms: nowMs });
        if (step === undefined) continue;
        assert.ok(NEXT[one.is][life.state]?.includes(step.life.state), `${one.is}: ${life.state} → ${step.life.state}`);
        assert.ok(step.life.crashes.length <= 5);
        if (step.life.state !== "none") assert.ok(step.life.generation >= highest);
        highest = step.life.state === "none" ? 0 : step.life.generation;
        for (const action of step.actions) if ("after_ms" in action) assert.ok(action.after_ms >= 0 && action.after_ms <= (action.do === "mend" ? 720_000 : 72_000));
        for (const entry of step.entries) assert.equal(entry.data["generation"], step.life.state === "none" ? 0 : step.life.generation);
        if (step.life.state !== life.state) assert.equal(step.entries.at(-1)?.data["state"], step.life.state, `${one.is} in ${life.state}: every move is a ledger entry`);
        life = step.life;
      }
    },
  ), { numRuns: 500 });
});
