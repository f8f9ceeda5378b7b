/**
 * Turns that the mob itself gives (spec: mob 3.1): the first one of a member, and what an autonomous one is told of its peers.
 *
 * takes entries; gives turns; promises that a first turn is given once for each session, whenever the process dies; refuses nothing: what
 * cannot be sent is told to the log; never wakes anybody for a notice whose first turn has not been sent.
 */
import type { Json, Log } from "@atoll-run/core";
import type { Profile } from "../definition/definition.ts";
import { isAutonomous } from "../definition/mode.ts";
import type { Entry } from "../ledger/entry.ts";
import type { View } from "../roster/view.ts";
import type { TurnAsk } from "./host.ts";
import { FINAL_STATES } from "./life.ts";
import { INITIAL } from "./turn.ts";

export interface PromptParts {
  readonly view: View;
  readonly log: Log;
  readonly profileOf: (name: string) => Profile | undefined;
  readonly send: (ask: TurnAsk) => Promise<unknown>;
}

/** Of an autonomous member that has no message of its own. */
const KICKOFF = "You have been started. Begin your work.";
const PEERS = "peers";
const NOTICES: Readonly<Partial<Record<Entry["kind"], string>>> = { members_wired: "peer_added", members_unwired: "peer_removed" };

export class Prompts {
  readonly #parts: PromptParts;
  /** On their way. */
  readonly #sending = new Set<Promise<void>>();

  constructor(parts: PromptParts) {
    this.#parts = parts;
  }

  hear({ kind, member, data, seq }: Entry): void {
    if (kind === "member_started" && member !== undefined) return this.#greet(member);
    const event = NOTICES[kind];
    if (event === undefined) return;
    const { a, b } = data as { readonly a: string; readonly b: string };
    this.#notice(a, b, { event, seq });
    this.#notice(b, a, { event, seq });
  }

  /** Resolves when none is on its way. */
  async idle(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** Its first turn; what fails is sent at its next start. */
  #greet(id: string): void {
    const { view, profileOf } = this.#parts;
    const { spec, greeted = false, session } = view.members.get(id) ?? {};
    if (spec === undefined || greeted) return;
    const profile = profileOf(spec.profile);
    const content = spec.initial_message ?? profile?.initial_message ?? (isAutonomous(spec, profile) ? KICKOFF : null);
    if (content !== null) this.#send({ to: id, content, ...INITIAL, key: `${INITIAL.key} ${session?.generation ?? 0}` });
  }

  #notice(id: string, peer: string, { event, seq }: { readonly event: string; readonly seq: number }): void {
    const { view, profileOf } = this.#parts;
    const { spec, greeted = false, life } = view.members.get(id) ?? {};
    if (spec === undefined || !greeted || FINAL_STATES.includes(life?.state ?? "none")) return;
    if (!isAutonomous(spec, profileOf(spec.profile))) return;
    const description = profileOf(view.members.get(peer)?.spec.profile ?? "")?.peer_description ?? null;
    const content: Json = { event, peer, ...description === null ? {} : { description } };
    this.#send({ to: id, content, from: "mob", principal: "mob", conversation: PEERS, key: `peers ${seq}` });
  }

  #send(ask: TurnAsk): void {
    const sending = this.#parts.send(ask).then(() => undefined, (error: unknown) => {
      this.#parts.log.write({ level: "warn", target: "member", msg: "a turn of the mob was not sent", fields: { member: ask.to, turn: ask.key ?? "", reason: String(error) } });
    }).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }
}
