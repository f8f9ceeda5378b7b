/** A host whose members are entries alone: each command is what the table of 3.3 says, without anything that runs. */
import type { MemberHost, MemberSpec, NewEntry } from "@atoll-run/mob";
import { stateFull, type StateStore } from "@atoll-run/core";
import { mobError, type MobError } from "@atoll-run/mob";
import { withCommit } from "@atoll-run/mob/internal";
import type { House } from "../support.ts";

type Hosted = Pick<MemberHost, "spawn" | "retire" | "respawn" | "reload" | "repair" | "update">;
type Command = keyof Hosted;

export class TestHost implements Hosted {
  readonly asked: string[] = [];
  /** `spawn a` fails, or never ends. */
  readonly fails = new Map<string, "fails" | "hangs">();
  atOnce = 0;
  mostAtOnce = 0;
  readonly #house: House;
  readonly #hashOf: (spec: MemberSpec) => string;

  constructor(house: House, hashOf: (spec: MemberSpec) => string = () => "any") {
    this.#house = house;
    this.#hashOf = hashOf;
  }

  spawn(spec: MemberSpec, { origin, lazy }: Parameters<MemberHost["spawn"]>[1]): ReturnType<MemberHost["spawn"]> {
    const generation = (this.#house.roster.view.members.get(spec.id)?.life.generation ?? 0) + 1;
    return this.#done("spawn", spec.id, [
      { kind: "member_spawning", data: { ...this.#made(spec), origin, lazy, state: "starting", generation } },
      { kind: "member_spawned", data: { state: "dormant" } },
    ]);
  }

  async retire(id: string): Promise<void> {
    const edges = this.#house.roster.view.wiredTo(id).map((peer): Partial<NewEntry> & { kind: NewEntry["kind"] } =>
      ({ kind: "members_unwired", data: id < peer ? { a: id, b: peer } : { a: peer, b: id } }));
    await this.#done("retire", id, [...edges, { kind: "member_retired", data: { state: "retired" } }]);
  }

  respawn(id: string, { spec }: Parameters<MemberHost["respawn"]>[1]): ReturnType<MemberHost["respawn"]> {
    return this.#done("respawn", id, [{ kind: "member_respawned", data: { ...this.#made(spec), state: "dormant" } }]);
  }

  reload(id: string, { spec }: Parameters<MemberHost["reload"]>[1]): ReturnType<MemberHost["reload"]> {
    return this.#done("reload", id, [{ kind: "member_reloaded", data: this.#made(spec) }]);
  }

  repair(id: string, { spec }: Parameters<MemberHost["repair"]>[1]): ReturnType<MemberHost["repair"]> {
    return this.#done("repair", id, [{ kind: "member_repaired", data: { ...this.#made(spec), state: "dormant" } }]);
  }

  update(spec: MemberSpec): ReturnType<MemberHost["update"]> {
    return this.#done("update", spec.id, [{ kind: "member_updated", data: { spec: spec as never } }]);
  }

  #made(spec: MemberSpec | undefined): NewEntry["data"] {
    return spec === undefined ? {} : { spec: spec as never, spec_hash: this.#hashOf(spec) };
  }

  async #done(what: Command, id: string, entries: readonly (Partial<NewEntry> & { kind: NewEntry["kind"] })[]): ReturnType<MemberHost["spawn"]> {
    this.asked.push(`${what} ${id}`);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      await new Promise((resolve) => void setImmediate(resolve));
      const fate = this.fails.get(`${what} ${id}`);
      if (fate === "hangs") await new Promise(() => undefined);
      if (fate === "fails") throw broken(`${what} of ${id}`);
      await this.#house.append(...entries.map((entry): NewEntry => ({ source: "mob", member: id, data: {}, ...entry })));
      return this.#house.roster.view.row(id) as Awaited<ReturnType<MemberHost["spawn"]>>;
    } finally {
      this.atOnce -= 1;
    }
  }
}

/** A store that takes no entry of some edges, as one whose disk is full at that moment. */
export class EdgeTrouble {
  /** `members_wired a/b`, while that fails. */
  readonly fails = new Set<string>();

  readonly wrap = (store: StateStore): StateStore => withCommit(store, (batch, call) => {
    const fails = batch.ops.some((op) => {
      if (op.op !== "append") return false;
      const { kind, data: { a, b } } = JSON.parse(op.body) as { kind: string; data: { a?: string; b?: string } };
      return this.fails.has(`${kind} ${a}/${b}`);
    });
    return fails ? Promise.reject(stateFull("state.sqlite")) : store.commit(batch, call);
  });
}

function broken(what: string): MobError {
  return mobError("mob.unavailable", `${what} is broken`);
}
