/**
 * Goal: section 9 of the mob tier. Invariant: a run folds to the same whenever it is folded; who has answered is not asked
 * again; used retries stay used. Method: a simulator that writes entries and answers by a table or at random.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "@atoll-run/core";
import { defineMob, type Entry, type EntryKind, type FlowDefinition, type TreeInput } from "@atoll-run/mob";
import { beginRun, type Candidate, decideRun, foldRun, foldWait, lookUp, type Move, outputOfRun, render, type Run, waitedMs } from "@atoll-run/mob/internal";
import fc from "fast-check";

type Steps = NonNullable<TreeInput["flows"]>[string]["steps"];

function flowOf(steps: Steps, more: Pick<TreeInput, "topology" | "supervisor"> = {}): FlowDefinition {
  const { flows } = defineMob({
    mob: { id: "m", members: [{ id: "w", profile: "w", count: 4 }, { id: "e", profile: "e" }] },
    profiles: { w: { linked: "w" }, e: { linked: "e" } }, flows: { f: { steps } }, ...more,
  });
  return flows["f"] as FlowDefinition;
}

const WORKERS: readonly Candidate[] = [
  ...[1, 2, 3, 4].map((n) => ({ id: `w-${n}`, profile: "w", usable: true, broken: false, load: 0 })), { id: "e", profile: "e", usable: true, broken: false, load: 0 },
];

type Answer = { readonly output: Json } | { readonly error: string } | "silence";

class Simulation {
  readonly entries: Entry[] = [];
  readonly outputs = new Map<string, Json>();
  readonly asked: (Move & { is: "dispatch" })[] = [];
  readonly cancelled: string[] = [];
  nowMs = 1_000;
  run: Run;
  candidates = WORKERS;

  constructor(definition: FlowDefinition, params: Json = {}) {
    this.write("flow_started", { flow: "f", definition: definition as never, params, principal: "local" });
    this.run = beginRun(this.entries[0] as Entry);
  }

  write(kind: EntryKind, data: Record<string, Json>, more: Partial<Entry> = {}): void {
    const seq = this.entries.length + 1;
    this.entries.push({
      seq, epoch: "e", id: `e_${seq}`, ts_ms: this.nowMs, v: 1, class: "structural", kind, mob: "m", source: "flow", run_id: "r_1", data, ...more,
    });
    if (this.run !== undefined) this.run = foldRun(this.run, this.entries.at(-1) as Entry, (id) => ({ output: this.outputs.get(id) ?? null }));
  }

  /** Decides until there is nothing more to do now. */
  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      const { moves } = decideRun(this.run, { candidates: this.candidates, now_ms: this.nowMs, run_ms: 3_600_000 });
      if (moves.length === 0) return;
      for (const move of moves) this.#do(move);
    }
    assert.fail("it never settles");
  }

  #do(move: Move): void {
    const at = { ..."step" in move ? { step_id: move.step } : {} };
    if ("cancel" in move) this.cancelled.push(...move.cancel);
    switch (move.is) {
      case "dispatch": {
        this.asked.push(move);
        const { target, member, attempt } = move;
        return this.write("step_dispatched", { target, member, attempt }, { ...at, turn_id: `${move.step}/${target}/${attempt}` });
      }
      case "target_failed": return this.write("step_target_failed", { target: move.target, error: { ...move.error } }, at);
      case "step_completed": return this.write("step_completed", {}, at);
      case "step_failed": return this.write("step_failed", { error: { ...move.error } }, at);
      case "step_skipped": return this.write("step_skipped", {}, at);
      case "forbidden": return this.write("topology_violation", { from: move.from, to: move.to, mode: move.mode }, at);
      case "escalate": return this.write("supervisor_escalation", { role: move.role, failures: move.failures }, at);
      case "completed": return this.write("flow_completed", {});
      case "failed": return this.write("flow_failed", { error: { ...move.error } });
    }
  }

  open(): { step: string; target: string; member: string; attempt: number; turn: string }[] {
    return Object.entries(this.run.steps).flatMap(([step, { targets, state }]) => state !== "running" ? [] : Object.values(targets)
      .filter((one) => one.state === "open").map(({ name, member, attempt, turn_id }) => ({ step, target: name, member, attempt, turn: turn_id as string })));
  }

  answer(one: { step: string; target: string; turn: string }, answer: Answer): void {
    if (answer === "silence") return;
    if ("output" in answer) {
      this.outputs.set(one.turn, answer.output);
      this.write("step_target_completed", { target: one.target }, { step_id: one.step, turn_id: one.turn });
    } else this.write("step_target_failed", { target: one.target, error: { code: "x.failed", text: answer.error } }, { step_id: one.step, turn_id: one.turn });
  }

  /** Answers whatever is asked, until the run is over or all are silent. */
  play(by: (asked: { step: string; target: string; member: string; attempt: number }) => Answer): Run {
    this.settle();
    for (;;) {
      const open = this.open();
      let said = false;
      for (const one of open) {
        const answer = by(one);
        said ||= answer !== "silence";
        this.answer(one, answer);
        this.settle();
        if (this.run.state !== "running") return this.run;
      }
      if (!said) return this.run;
    }
  }

  refolded(): Run {
    const [first, ...rest] = this.entries;
    return rest.reduce((run, entry) => foldRun(run, entry, (id) => ({ output: this.outputs.get(id) ?? null })), beginRun(first as Entry));
  }
}

const outputOf = (run: Run, step: string) => run.steps[step]?.output;

test("fan_out asks every member of the role and gives a map", () => {
  const run = new Simulation(flowOf({ s: { role: "w", message: "hi" } })).play(({ member }) => ({ output: member.toUpperCase() }));
  assert.equal(run.state, "completed");
  assert.deepEqual(outputOf(run, "s"), { "w-1": "W-1", "w-2": "W-2", "w-3": "W-3", "w-4": "W-4" });
});

test("fan_in gives a list by id", () => {
  const run = new Simulation(flowOf({ s: { role: "w", dispatch: "fan_in" } })).play(({ member }) => ({ output: member }));
  assert.deepEqual((outputOf(run, "s") as { target: string }[]).map(({ target }) => target), ["w-1", "w-2", "w-3", "w-4"]);
});

test("output = text makes text of what is none; with expect, JSON that a member wrote as text is read, also inside a fence", () => {
  const list = { type: "array", items: { type: "number" } } as const;
  for (const [step, given, expected] of [
    [{ output: "text" }, { a: 1 }, '{"a":1}'], [{ output: "text" }, "plain", "plain"], [{ output: "text" }, null, "null"], [{}, "[1]", "[1]"], [{}, { a: 1 }, { a: 1 }],
    [{ expect: list }, "[1, 2]", [1, 2]], [{ expect: list }, "\n```json\n[3]\n```\n", [3]], [{ expect: list }, [4], [4]], [{ expect: { type: "string" } }, "[5]", "[5]"],
    [{ expect: list, output: "text" }, [6], "[6]"],
  ] as const) {
    const run = new Simulation(flowOf({ s: { role: "e", dispatch: "one_to_one", ...step } })).play(() => ({ output: given as Json }));
    assert.deepEqual(outputOf(run, "s"), expected, JSON.stringify([step, given]));
  }
});

test("collect = any takes the first and cancels the others", () => {
  const simulation = new Simulation(flowOf({ s: { role: "w", collect: "any" } }));
  const run = simulation.play(({ member }) => member === "w-3" ? { output: 3 } : "silence");
  assert.equal(run.state, "completed");
  assert.equal(outputOf(run, "s"), 3);
  assert.deepEqual(simulation.cancelled.toSorted(), ["s/w-1/1", "s/w-2/1", "s/w-4/1"]);
});

test("a quorum that cannot be met fails the step", () => {
  const run = new Simulation(flowOf({ s: { role: "w", collect: { quorum: 3 }, retries: 0 } }))
    .play(({ member }) => ["w-1", "w-2"].includes(member) ? { error: "no" } : "silence");
  assert.equal(run.state, "failed");
  assert.equal(run.steps["s"]?.error?.code, "x.failed");
});

test("one_to_one asks the least loaded, and the same one for an equal key", () => {
  const simulation = new Simulation(flowOf({ a: { role: "w", dispatch: "one_to_one" }, b: { role: "w", dispatch: "one_to_one", key: "{{ params.k }}" },
    c: { role: "w", dispatch: "one_to_one", key: "{{ params.k }}" } }), { k: "x" });
  simulation.candidates = WORKERS.map((one) => ({ ...one, load: one.id === "w-2" ? 0 : 5 }));
  simulation.play(() => ({ output: 1 }));
  const member = (step: string) => simulation.asked.find((one) => one.step === step)?.member;
  assert.equal(member("a"), "w-2");
  assert.equal(member("b"), member("c"));
});

test("share gives each item to the next free member, one at a time, and a list in item order", () => {
  const simulation = new Simulation(flowOf({ s: { role: "w", dispatch: "share", items: "params.items", message: "do {{ item }}" } }),
    { items: Array.from({ length: 20 }, (_, n) => n) });
  let most = 0;
  const run = simulation.play((one) => {
    most = Math.max(most, simulation.open().filter(({ member }) => member === one.member).length);
    return { output: Number(one.target) * 10 };
  });
  assert.equal(most, 1);
  assert.deepEqual(outputOf(run, "s"), Array.from({ length: 20 }, (_, n) => n * 10));
  assert.deepEqual(simulation.asked[0]?.content, "do 0");
});

test("a failed item is asked of another member, and stands as an error when its retries are used", () => {
  const simulation = new Simulation(flowOf({ s: { role: "w", dispatch: "share", items: "params.items", retries: 2 } }), { items: ["a", "b"] });
  const run = simulation.play(({ target }) => target === "1" ? { error: "bad item" } : { output: "ok" });
  assert.equal(run.state, "completed");
  assert.deepEqual(outputOf(run, "s"), ["ok", { error: { code: "x.failed", text: "bad item" } }]);
  const tries = simulation.asked.filter(({ target }) => target === "1");
  assert.deepEqual(tries.map(({ attempt }) => attempt), [1, 2, 3]);
  for (const [at, one] of tries.entries()) assert.notEqual(one.member, tries[at - 1]?.member);
});

test("a share of nothing is an empty list", () => {
  const run = new Simulation(flowOf({ s: { role: "w", dispatch: "share", items: "params.items" } }), { items: [] }).play(() => "silence");
  assert.deepEqual([run.state, outputOf(run, "s")], ["completed", []]);
});

test("broken members are not asked; without any the step fails", () => {
  const simulation = new Simulation(flowOf({ s: { role: "w" } }));
  simulation.candidates = WORKERS.map((one) => ({ ...one, usable: one.id === "w-1" }));
  assert.deepEqual(outputOf(simulation.play(() => ({ output: 1 })), "s"), { "w-1": 1 });
  const none = new Simulation(flowOf({ s: { role: "w" } }));
  none.candidates = [];
  assert.equal(none.play(() => "silence").error?.code, "mob.unavailable");
});

/** Spec A37, what of it has no loop and no condition: how each run ends. */
const ENDS: readonly (readonly [
  title: string, steps: Steps, by: (asked: { readonly member: string; readonly target: string; readonly attempt: number }) => Answer,
  ends: { readonly state: Run["state"]; readonly code?: string; readonly output?: Json; readonly asked: number; readonly cancelled?: number },
  more?: { readonly broken?: readonly string[] } & Pick<TreeInput, "topology" | "supervisor">,
])[] = [
  ["fan_out with all", { s: { role: "w" } }, () => ({ output: 1 }), { state: "completed", output: { "w-1": 1, "w-2": 1, "w-3": 1, "w-4": 1 }, asked: 4 }],
  ["fan_out with any that may finish", { s: { role: "w", collect: "any", let_finish: true } }, ({ member }) => (member === "w-2" ? { output: 2 } : "silence"), { state: "completed", output: 2, asked: 4, cancelled: 0 }],
  ["fan_out with any", { s: { role: "w", collect: "any" } }, ({ member }) => (member === "w-2" ? { output: 2 } : "silence"), { state: "completed", output: 2, asked: 4, cancelled: 3 }],
  ["fan_out with a quorum", { s: { role: "w", collect: { quorum: 2 } } }, ({ member }) => (member < "w-3" ? { output: member } : "silence"), { state: "completed", output: { "w-1": "w-1", "w-2": "w-2" }, asked: 4, cancelled: 2 }],
  ["a quorum of more than there are", { s: { role: "w", collect: { quorum: 5 } } }, () => ({ output: 1 }), { state: "failed", code: "mob.unavailable", asked: 0 }],
  ["too many failures for a quorum", { s: { role: "w", collect: { quorum: 4 }, retries: 0 } }, ({ member }) => (member === "w-1" ? { error: "no" } : "silence"), { state: "failed", code: "x.failed", asked: 4, cancelled: 3 }],
  ["fan_in with a quorum", { s: { role: "w", dispatch: "fan_in", collect: { quorum: 1 } } }, ({ member }) => (member === "w-4" ? { output: 4 } : "silence"), { state: "completed", output: [{ target: "w-4", output: 4 }], asked: 4, cancelled: 3 }],
  ["one_to_one that is asked again", { s: { role: "w", dispatch: "one_to_one", retries: 1 } }, ({ attempt }) => (attempt === 1 ? { error: "no" } : { output: "yes" }), { state: "completed", output: "yes", asked: 2 }],
  ["a share with a failed item", { s: { role: "w", dispatch: "share", items: "params.items", retries: 0 } }, ({ target }) => (target === "1" ? { error: "no" } : { output: target }), { state: "completed", output: ["0", { error: { code: "x.failed", text: "no" } }, "2"], asked: 3 }],
  ["a share over what is no list", { s: { role: "w", dispatch: "share", items: "params.word" } }, () => ({ output: 1 }), { state: "failed", code: "mob.invalid_params", asked: 0 }],
  ["an unknown root", { s: { role: "e", message: "{{ env.HOME }}" } }, () => ({ output: 1 }), { state: "failed", code: "mob.invalid_params", asked: 0 }],
  ["a missing field", { s: { role: "e", message: "{{ params.none }}" } }, () => ({ output: 1 }), { state: "failed", code: "mob.invalid_params", asked: 0 }],
  ["a failure that is let be, and who depends on it", { s: { role: "e", on_failure: "continue", retries: 0 }, t: { role: "w", depends_on: ["s"] } }, () => ({ error: "no" }), { state: "completed", output: null, asked: 1 }],
  ["a broken one of a role that all are to answer", { s: { role: "w" } }, () => ({ output: 1 }), { state: "failed", code: "mob.member_broken", asked: 0 }, { broken: ["w-2"] }],
  ["a broken one beside a quorum", { s: { role: "w", collect: { quorum: 3 } } }, () => ({ output: 1 }), { state: "completed", output: { "w-1": 1, "w-3": 1, "w-4": 1 }, asked: 3 }, { broken: ["w-2"] }],
  ["a pair that a strict topology forbids", { s: { role: "w" }, t: { role: "e", depends_on: ["s"] } }, () => ({ output: 1 }), { state: "failed", code: "mob.denied", asked: 4 }, { topology: { mode: "strict", rules: [{ from: "w", to: "*", allowed: false }] } }],
  ["a pair that an advisory topology forbids", { s: { role: "w" }, t: { role: "e", depends_on: ["s"] } }, () => ({ output: 1 }), { state: "completed", output: 1, asked: 5 }, { topology: { mode: "advisory", rules: [{ from: "w", to: "e", allowed: false }] } }],
  ["a pair that an earlier rule allows", { s: { role: "w" }, t: { role: "e", depends_on: ["s"] } }, () => ({ output: 1 }), { state: "completed", output: 1, asked: 5 }, { topology: { mode: "strict", rules: [{ from: "w", to: "e", allowed: true }, { from: "*", to: "*", allowed: false }] } }],
];
for (const [title, steps, by, ends, { broken = [], ...more } = {}] of ENDS) {
  test(`how it ends: ${title}`, () => {
    const simulation = new Simulation(flowOf(steps, more), { items: [0, 1, 2], word: "x" });
    simulation.candidates = WORKERS.map((one) => (broken.includes(one.id) ? { ...one, usable: false, broken: true } : one));
    const run = simulation.play(by);
    assert.deepEqual([run.state, run.error?.code, simulation.asked.length], [ends.state, ends.code, ends.asked]);
    if (ends.output !== undefined) assert.deepEqual(outputOfRun(run), ends.output);
    if (ends.cancelled !== undefined) assert.equal(simulation.cancelled.length, ends.cancelled);
    assert.deepEqual(simulation.refolded(), run);
    const violations = simulation.entries.filter(({ kind }) => kind === "topology_violation").length;
    assert.equal(violations, title.includes("topology forbids") ? 1 : 0);
  });
}

test("a supervisor is told once of a run that fails, from its threshold on", () => {
  for (const [threshold, retries, told] of [[1, 0, 1], [3, 1, 0], [3, 2, 1]] as const) {
    const simulation = new Simulation(flowOf({ s: { role: "e", retries } }, { supervisor: { role: "w", threshold } }));
    const run = simulation.play(() => ({ error: "no" }));
    const kinds = simulation.entries.map(({ kind }) => kind).filter((kind) => kind === "supervisor_escalation" || kind === "flow_failed");
    assert.deepEqual([run.state, kinds], ["failed", [...Array.from({ length: told }, () => "supervisor_escalation"), "flow_failed"]]);
  }
});

const CHAIN: Steps = { a: { role: "e", on_failure: "continue", retries: 0 }, b: { role: "e", depends_on: ["a"], message: "{{ steps.a.output }}" } };

test("a dependency that failed skips the dependent, and continue lets the run complete", () => {
  const run = new Simulation(flowOf(CHAIN)).play(({ step }) => step === "a" ? { error: "no" } : { output: 1 });
  assert.deepEqual([run.state, run.steps["a"]?.state, run.steps["b"]?.state], ["completed", "failed", "skipped"]);
});

test("with any the dependent is skipped only if all its dependencies are lost", () => {
  const steps: Steps = { a: { role: "e", on_failure: "continue", retries: 0 }, b: { role: "e" }, c: { role: "e", depends_on: ["a", "b"], depends_on_mode: "any" } };
  const run = new Simulation(flowOf(steps)).play(({ step }) => step === "a" ? { error: "no" } : { output: step });
  assert.deepEqual([run.steps["c"]?.state, run.state], ["completed", "completed"]);
});

test("escalate fails the run after its retries", () => {
  const simulation = new Simulation(flowOf({ a: { role: "e", retries: 2 } }));
  const run = simulation.play(() => ({ error: "no" }));
  assert.deepEqual([run.state, simulation.asked.length], ["failed", 3]);
});

test("a step that takes too long fails, and its turns are cancelled", () => {
  const simulation = new Simulation(flowOf({ a: { role: "w", timeout: "1m" } }));
  simulation.play(() => "silence");
  assert.equal(decideRun(simulation.run, { candidates: WORKERS, now_ms: simulation.nowMs, run_ms: 3_600_000 }).wake_at_ms, 61_000);
  simulation.nowMs = 61_000;
  simulation.settle();
  assert.equal(simulation.run.state, "failed");
  assert.equal(simulation.cancelled.length, 4);
});

test("resume goes on at the failed steps and asks nobody who has answered", () => {
  const simulation = new Simulation(flowOf({ a: { role: "w", retries: 0, dispatch: "fan_in" }, b: { role: "e", depends_on: ["a"] } }));
  simulation.play(({ member }) => member === "w-2" ? { error: "no" } : { output: member });
  assert.equal(simulation.run.state, "failed");
  const answered = Object.values(simulation.run.steps["a"]?.targets ?? {}).filter(({ state }) => state === "done").map(({ member }) => member);
  simulation.asked.length = 0;
  simulation.write("flow_started", { resumed: true });
  const run = simulation.play(({ member }) => ({ output: member }));
  assert.equal(run.state, "completed");
  for (const { member, step } of simulation.asked) if (step === "a") assert.ok(!answered.includes(member), member);
});

const SCOPE = { params: { root: "x", list: [{ n: 1 }] }, steps: { s: { output: { a: [1, 2] } }, later: { output: undefined } }, item: { id: 7 } };
const TEMPLATES: readonly [template: string, value: Json][] = [
  ["{{ params.root }}", "x"], ["{{params.list[0].n}}", 1], ["at {{ steps.s.output.a }}", "at [1,2]"], ["{{ steps.later.output }}", null],
  ["{{ steps.later.output.deep }}", null], ["{{ item.id }}!", "7!"], ["plain", "plain"], ["{{ steps.s.output.a[1] }}", 2],
];
for (const [template, value] of TEMPLATES) {
  test(`the template ${template} gives ${JSON.stringify(value)}`, () => {
    assert.deepEqual(render(template, SCOPE), { ok: true, value });
  });
}
for (const template of ["{{ nothing.x }}", "{{ params.missing }}", "{{ steps.none.output }}", "{{ steps.s.result }}", "{{ params.root.length }}", "{{ params.__proto__ }}"]) {
  test(`the template ${template} fails the step`, () => {
    assert.equal(render(template, SCOPE).ok, false);
    const run = new Simulation(flowOf({ s: { role: "e" }, t: { role: "e", message: template, depends_on: ["s"] } }), SCOPE.params).play(() => ({ output: {} }));
    assert.equal(run.state, "failed");
  });
}
test("without an item there is none to speak of", () => assert.equal(lookUp("item.x", { params: {}, steps: {} }).ok, false));

test("whatever is answered and whenever it is folded anew, a run ends, and asks nobody twice for what he has answered", () => {
  const steps: Steps = {
    scan: { role: "e", retries: 1 }, share: { role: "w", dispatch: "share", items: "params.items", depends_on: ["scan"], retries: 1 },
    vote: { role: "w", collect: { quorum: 2 }, depends_on: ["scan"], on_failure: "continue" },
    end: { role: "e", depends_on: ["share", "vote"], depends_on_mode: "any" },
  };
  fc.assert(fc.property(fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }), fc.nat(12), fc.array(fc.nat(3), { minLength: 50, maxLength: 50 }), (fails, items, order) => {
    const simulation = new Simulation(flowOf(steps), { items: Array.from({ length: items }, (_, n) => n) });
    const answered = new Set<string>();
    let at = 0;
    simulation.settle();
    while (simulation.run.state === "running") {
      const open = simulation.open();
      assert.ok(open.length > 0, "it waits for nobody");
      const one = open[(order[at % order.length] as number) % open.length] as (typeof open)[number];
      assert.ok(!answered.has(`${one.step}/${one.target}`), "asked again");
      const failing = fails[at++ % fails.length] as boolean;
      if (!failing) answered.add(`${one.step}/${one.target}`);
      simulation.answer(one, failing ? { error: "no" } : { output: one.target });
      assert.deepEqual(simulation.refolded(), simulation.run);
      simulation.run = simulation.refolded();
      simulation.settle();
    }
    for (const { attempt } of simulation.asked) assert.ok(attempt <= 2);
  }), { numRuns: 150 });
});

test("the time that does not count is that in which at least one turn waits, however waits begin, end and overlap", () => {
  const moves = fc.array(fc.record({ turn: fc.nat(2), waits: fc.boolean(), step: fc.constantFrom("a", "b", "gone"), after: fc.nat(50) }), { maxLength: 30 });
  fc.assert(fc.property(moves, (given) => {
    const simulation = new Simulation(flowOf({ a: { member: "w-1" }, b: { member: "w-2" } }));
    simulation.settle();
    let { run, nowMs } = simulation;
    const waiting = { a: new Set<number>(), b: new Set<number>() };
    const expected = { run: 0, a: 0, b: 0 };
    for (const { turn, waits, step, after } of given) {
      nowMs += after;
      for (const name of ["a", "b"] as const) if (waiting[name].size > 0) expected[name] += after;
      if (waiting.a.size + waiting.b.size > 0) expected.run += after;
      if (step !== "gone") waiting[step][waits ? "add" : "delete"](turn);
      run = foldWait(run, { turn_id: `${step}${turn}`, step_id: step, state: waits ? "waiting_approval" : "running" }, nowMs);
    }
    assert.deepEqual({ run: waitedMs(run.waits, nowMs), a: waitedMs(run.steps["a"]?.waits, nowMs), b: waitedMs(run.steps["b"]?.waits, nowMs) }, expected);
  }));
});
