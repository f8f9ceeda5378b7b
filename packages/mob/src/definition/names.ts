/**
 * Names of a definition that stand for somebody: profiles, and members of them. Pure.
 * takes what the definition has, and a name; tells of one that stands for nobody, with what was meant: the nearest one, or how the
 * one of the other kind is addressed.
 */
import type { MemberSpec } from "./definition.ts";
import type { Path, Problems } from "./problems.ts";
import type { Tree } from "./schema.ts";

export class Names {
  readonly #profiles: ReadonlySet<string>;
  /** By id: the profile. */
  readonly #members: ReadonlyMap<string, string>;
  /** Names of members that are several: how many. */
  readonly #counts: ReadonlyMap<string, number>;
  readonly #problems: Problems;

  constructor({ profiles, mob }: Tree, members: readonly MemberSpec[], problems: Problems) {
    this.#profiles = new Set(Object.keys(profiles));
    this.#members = new Map(members.map(({ id, profile }) => [id, profile]));
    this.#counts = new Map(mob.members.flatMap(({ id, count }) => count === undefined ? [] : [[id, count]]));
    this.#problems = problems;
  }

  /** `asMember`: how a member is named instead; absent: it cannot be. */
  profile(path: Path, word: string, asMember?: (id: string) => string): void {
    if (this.#profiles.has(word)) return;
    const profile = this.#members.get(word);
    const hint = profile === undefined ? undefined
      : asMember === undefined ? `it is a member of profile ${JSON.stringify(profile)}` : `it is a member: write ${asMember(word)}`;
    this.#problems.unknown(path, word, { what: "profile", known: this.#profiles, hint });
  }

  /** `asProfile`: how all members of a profile are named instead. */
  member(path: Path, word: string, asProfile: (name: string) => string): void {
    if (this.#members.has(word)) return;
    const count = this.#counts.get(word);
    const hint = this.#profiles.has(word) ? `it is a profile: write ${asProfile(word)}`
      : count !== undefined ? `its count makes ${JSON.stringify(`${word}-1`)}${count === 1 ? "" : ` to ${JSON.stringify(`${word}-${count}`)}`}` : undefined;
    this.#problems.unknown(path, word, { what: "member", known: this.#members.keys(), hint });
  }
}
