/**
 * Turns that the mob itself gives (spec: mob 3.1, 4.4): the first one of a member, and what an autonomous one is told of its peers.
 *
 * takes entries; gives turns; promises that a first turn is given once for each session, and each notice once, whenever the process dies:
 * the view says what is owed; refuses nothing: what cannot be sent is told to the log, and sent when its member starts or a turn of it ends;
 * never wakes anybody for a notice whose first turn has not been sent.
 */
import type { Json, Log } from "@atoll-run/core";
import { apart } from "../apart.ts";
import type { Profile } from "../definition/definition.ts";
import { isAutonomous } from "../definition/mode.ts";
import type { Entry } from "../ledger/entry.ts";
import type { MobLimits } from "../limits.ts";
import { isEdge } from "../roster/touched.ts";
import type { View } from "../roster/view.ts";
import type { TurnAsk } from "./host.ts";
import { INITIAL } from "./turn.ts";

export interface PromptParts {
  readonly view: View;
  readonly log: Log;
  readonly profileOf: (name: string) => Profile | undefined;
  readonly limits: Pick<MobLimits, "turnsMax">;
  readonly send: (ask: TurnAsk) => Promise<unknown>;
}

/** Of an autonomous member that has no message of its own. */
const KICKOFF = "You have been started. Begin your work.";
const PEERS = "peers";

export class Prompts {
  readonly #parts: PromptParts;
  /** On their way, by member and key. */
  readonly #sending = new Map<string, Promise<void>>();
  #paused = true;

  constructor(parts: PromptParts) {
    this.#parts = parts;
  }

  hear({ kind, member, data }: Entry): void {
    if (kind === "member_started" && member !== undefined) {
      this.#greet(member);
      this.tell(member);
    } else if (isEdge(kind)) {
      const { a, b } = data as { readonly a: string; readonly b: string };
      for (const id of [a, b]) this.tell(id);
    }
  }

  /** All that it has not been told of its peers. */
  tell(id: string): void {
    const { view, profileOf, limits } = this.#parts;
    const { spec, life, untold, open = [] } = view.members.get(id) ?? {};
    if (this.#paused || untold === undefined || spec === undefined || !isAutonomous(spec, profileOf(spec.profile))) return;
    // Its mail is refused until it starts again, and then it is told.
    if (life?.state === "broken") return;
    // What it has no room for is sent when a turn of it ends.
    for (const { event, peer, seq } of untold.slice(0, Math.max(0, limits.turnsMax - open.length))) {
      const description = profileOf(view.members.get(peer)?.spec.profile ?? "")?.peer_description ?? null;
      const content: Json = { event, peer, ...description === null ? {} : { description } };
      this.#send({ to: id, content, from: "mob", principal: "mob", conversation: PEERS, key: `peers ${seq}`, causeSeq: seq });
    }
  }

  /** Goes on with what an earlier process owes. */
  resume(): void {
    this.#paused = false;
    for (const [id, { untold }] of this.#parts.view.members) if (untold !== undefined) this.tell(id);
  }

  /** Until {@link resume}; resolves when none is on its way. */
  async pause(): Promise<void> {
    this.#paused = true;
    await Promise.all(this.#sending.values());
  }

  /** Its first turn; what fails is sent at its next start. */
  #greet(id: string): void {
    const { view, profileOf } = this.#parts;
    const { spec, greeted = false, session } = view.members.get(id) ?? {};
    if (this.#paused || spec === undefined || greeted) return;
    const profile = profileOf(spec.profile);
    const content = spec.initial_message ?? profile?.initial_message ?? (isAutonomous(spec, profile) ? KICKOFF : null);
    if (content !== null) this.#send({ to: id, content, ...INITIAL, key: `${INITIAL.key} ${session?.generation ?? 0}` });
  }

  #send(ask: TurnAsk): void {
    const name = `${ask.to}/${ask.key}`;
    if (this.#sending.has(name)) return;
    const sending = apart(() => this.#parts.send(ask)).then(() => undefined, (error: unknown) => {
      this.#parts.log.write({ level: "warn", target: "member", msg: "a turn of the mob was not sent", fields: { member: ask.to, turn: ask.key ?? "", reason: String(error) } });
    }).finally(() => this.#sending.delete(name));
    this.#sending.set(name, sending);
  }
}
