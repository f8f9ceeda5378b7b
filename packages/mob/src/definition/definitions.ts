/**
 * The definition in force (spec: mob 4.6): all rooms ask here, each time they need it.
 *
 * takes definitions; gives the one that counts; promises that it is in the ledger before it counts, and that whoever lives by a profile
 * that it has not any more keeps that; refuses another mob, and limits that only a start can change; never reads a file by itself.
 */
import { isDeepStrictEqual } from "node:util";
import { isFault } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { View } from "../roster/view.ts";
import { accessChanged, definitionApplied } from "./applied.ts";
import type { MemberSpec, MobDefinition, Problem, Profile } from "./definition.ts";
import { Problems } from "./problems.ts";
import { definitionHash, specHash } from "./spec-hash.ts";

export interface DefinitionsParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  /** Reads what the definition came from anew. Throws `mob.definition_invalid`. Absent: a program has made it. */
  readonly read?: (() => Promise<MobDefinition>) | undefined;
}

export class Definitions {
  readonly #parts: DefinitionsParts;
  #now: MobDefinition;
  /** Once there is one: what was in force before stands there. */
  view: Pick<View, "applied"> = { applied: undefined };

  constructor(parts: DefinitionsParts, first: MobDefinition) {
    this.#parts = parts;
    this.#now = first;
  }

  readonly now = (): MobDefinition => this.#now;

  /** Also of one that is there no more, as long as somebody lives by it. */
  readonly profileOf = (name: string): Profile | undefined => {
    const { profiles } = this.#now;
    const { former = {} } = this.view.applied ?? {};
    return Object.hasOwn(profiles, name) ? profiles[name] : Object.hasOwn(former, name) ? former[name] : undefined;
  };

  /** What a member would be made of; `next`: once that one counts. */
  readonly hashOf = (spec: MemberSpec, { profiles, files }: MobDefinition = this.#now): string =>
    specHash(Object.hasOwn(profiles, spec.profile) ? profiles[spec.profile] : this.profileOf(spec.profile), spec, files);

  /** From now on it counts; what counts already is not written again. */
  async apply(next: MobDefinition, principal: string): Promise<void> {
    const { ledger, writer } = this.#parts;
    if (this.view.applied?.hash !== definitionHash(next)) {
      // At a start it is not known what counted before.
      const changed = next === this.#now ? next.access !== null : !isDeepStrictEqual(next.access, this.#now.access);
      await ledger.append(writer, [...definitionApplied(next, principal), ...changed ? [accessChanged(next, principal)] : []]);
    }
    this.#now = next;
  }

  /** Throws `mob.unavailable` without a file, `mob.definition_invalid` with all that is wrong; what counts stays. `tells`: in the ledger too. */
  async readAnew({ principal, tells }: { readonly principal: string; readonly tells: boolean }): Promise<MobDefinition> {
    const { read } = this.#parts;
    if (read === undefined) {
      throw mobError("mob.unavailable", "the definition was made by a program: there is no file to read", {
        facts: { what: "source" }, retry: "never", hint: "Start the mob from its file: atoll mob up, or Mob.start({ definition: await loadMob(path) }).",
      });
    }
    const next = await read().catch(async (error: unknown) => {
      if (tells) await this.#tellRejected(error, principal);
      throw error;
    });
    const problems = new Problems();
    if (next.mob.id !== this.#now.mob.id) problems.add(["mob", "id"], `this mob is ${this.#now.mob.id}: it keeps its id as long as it runs`);
    if (!isDeepStrictEqual(next.limits, this.#now.limits)) problems.add(["limits"], "differ from those of the start", "limits are read when a mob starts: stop it and start it again");
    if (problems.all.length > 0) throw problems.fault();
    return next;
  }

  /** What is wrong with a policy that was to be the new one. */
  async #tellRejected(error: unknown, principal: string): Promise<void> {
    if (!isFault(error) || error.code !== "mob.definition_invalid") return;
    const problems = (error.facts["problems"] as readonly Problem[]).filter(({ path, file = "" }) => /^approvals\b/.test(path) || POLICY_FILE.test(file));
    if (problems.length === 0) return;
    await this.#parts.ledger.append(this.#parts.writer, [{
      kind: "policy_rejected", source: "mob", principal, data: { problems: problems.slice(0, TOLD_MAX).map((one) => ({ ...one })), count: problems.length },
    }]);
  }
}

const TOLD_MAX = 32;
/** It may be no TOML at all. */
const POLICY_FILE = /(?:^|[\\/])approvals\.toml$/;
