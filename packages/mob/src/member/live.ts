/**
 * The members that are more than a row: those whose nodes are open, and those in the middle of a move.
 *
 * takes ids; gives the one `Member` of each; promises that there is never a second one of an id at a time, and that whoever
 * is quiet is let go; refuses nothing; never keeps anything for a member that sleeps.
 */
import { onAbort } from "@atoll-run/core";
import { Member } from "./member.ts";
import type { MemberParts } from "./parts.ts";

export class LiveMembers {
  readonly #parts: Omit<MemberParts, "quiet">;
  readonly #members = new Map<string, Member>();

  constructor(parts: Omit<MemberParts, "quiet">) {
    this.#parts = parts;
  }

  /** Made when there is none. */
  of(id: string): Member {
    const known = this.#members.get(id);
    if (known !== undefined) return known;
    const made: Member = new Member({ ...this.#parts, quiet: () => this.#letGo(id, made) }, id);
    this.#members.set(id, made);
    return made;
  }

  known(id: string): Member | undefined {
    return this.#members.get(id);
  }

  forget(id: string): void {
    this.#members.delete(id);
  }

  /** Resolves when the turns that run have ended, or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    const cut = Promise.withResolvers<void>();
    using _ = onAbort(signal, () => cut.resolve());
    await Promise.race([cut.promise, Promise.all([...this.#members.values()].map((member) => member.drain()))]);
  }

  /** Turns that run go back into their mailboxes; all nodes close. `aborted` is told of those turns. */
  async close(o: { readonly stepMs: number; readonly aborted: (turnIds: readonly string[]) => void }): Promise<void> {
    await Promise.all([...this.#members].map(async ([id, member]) => {
      await member.close(o);
      this.#letGo(id, member);
    }));
  }

  /** Turns that run. */
  working(): readonly string[] {
    return [...this.#members.values()].flatMap(({ incarnation }) => incarnation?.working ?? []);
  }

  /** Those whose nodes are open. */
  awake(): readonly string[] {
    return [...this.#members].flatMap(([id, { incarnation }]) => incarnation === undefined ? [] : [id]);
  }

  #letGo(id: string, member: Member): void {
    if (this.#members.get(id) === member) this.#members.delete(id);
  }
}
