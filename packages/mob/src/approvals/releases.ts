/**
 * Drafts that were released: their calls are made, once, and their members are told (spec: mob 8.10).
 *
 * takes approvals as they are folded; gives one call of each and one turn with what came of it; promises that a call which may have
 * been made is not made again, whenever the process dies; refuses nothing; never asks anybody: the decision is stored.
 */
import { isFault, sleep, withDeadline, type Clock, type Json, type Log } from "@atoll-run/core";
import { mobError, toFailure, type Failure } from "../errors.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { preview } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost, Performer } from "../member/host.ts";
import { isOn } from "../roster/mob-fold.ts";
import type { View } from "../roster/view.ts";
import { RELEASES, type Approval } from "./approval.ts";
import { dropArguments, dropResult, keepResult, keptResult, wholeArguments } from "./arguments.ts";

export interface ReleaseParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly host: Pick<MemberHost, "performer" | "send">;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "turnMs" | "previewBytes">;
}

/** What came of a call. */
type Result = { readonly result: Json } | { readonly error: Failure };

const AGAIN_MS = 250;
const AGAIN_MS_MAX = 10_000;
/** Gone on with when the mob goes on. */
const OFF = mobError("mob.unavailable", "the mob takes no work now");
const UNKNOWN: Result = { error: { code: "mob.interrupted", text: "outcome unknown: the process ended while this call ran; it was not made again" } };

export class Releases {
  readonly #parts: ReleaseParts;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(parts: ReleaseParts) {
    this.#parts = parts;
    this.lookAll();
  }

  /** The mob goes on. */
  lookAll(): void {
    for (const { id } of this.#parts.view.approvals.values()) this.look(id);
  }

  /** Goes on with it, if it is released and its member has not been told. */
  look(id: string): void {
    const { state, call } = this.#parts.view.approvals.get(id) ?? {};
    if (state !== "released" || call === "told" || this.#underWay.has(id) || this.#closing.signal.aborted) return;
    this.#underWay.set(id, this.#go(id).catch((error: unknown) => {
      if (error !== OFF) this.#say(id, error);
    }).finally(() => this.#underWay.delete(id)));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underWay.values());
  }

  async #go(id: string): Promise<void> {
    // After the entry that brought us here has been folded by everybody.
    await Promise.resolve();
    const approval = this.#parts.view.approvals.get(id);
    if (approval === undefined) return;
    // A call that has begun was begun by an earlier process.
    if (approval.call === "begun") await this.#over(approval, UNKNOWN);
    else if (approval.call === undefined && !await this.#make(approval)) return;
    await this.#tell(approval);
  }

  /** False: the mob ends, and what becomes of it is not known. */
  async #make(approval: Approval): Promise<boolean> {
    const { ledger, writer, host, clock, limits } = this.#parts;
    const { id, grant, tool, fn } = approval;
    const { signal } = this.#closing;
    let performer: Performer;
    try {
      performer = await this.#again(id, () => host.performer(approval.member));
    } catch (error) {
      if (signal.aborted || error === OFF) return false;
      await this.#over(approval, { error: toFailure(error) });
      return true;
    }
    using ready = performer;
    const args = await wholeArguments(ledger.store, id) ?? approval.args;
    await ledger.append(writer, [this.#about(approval, { kind: "tool_execution_started", data: { approval: id, tool: tool ?? grant } })]);
    const made = await withDeadline((until) => ready.perform({ approval: id, grant, tool, fn, args }, until), { clock, ms: limits.turnMs, signal, what: "the call" })
      .then((result): Result => ({ result }), (error: unknown): Result => ({ error: toFailure(error) }));
    if (signal.aborted) return false;
    await this.#over(approval, made);
    return true;
  }

  async #over(approval: Approval, made: Result): Promise<void> {
    const { ledger, writer, limits } = this.#parts;
    const { id } = approval;
    const shown = "error" in made ? { ok: false, error: { ...made.error } } : { ok: true, result: preview(JSON.stringify(ledger.redact(made.result)), limits.previewBytes) };
    await ledger.append(writer, [this.#about(approval, { kind: "tool_execution_completed", data: { approval: id, ...shown } })], [
      keepResult(id, made as unknown as Json), dropArguments(id),
    ]);
  }

  async #tell(approval: Approval): Promise<void> {
    const { ledger, writer, host, clock } = this.#parts;
    const { id, member, turn_id, asked_by, tool, grant, trace } = approval;
    const made = await keptResult(ledger.store, id) ?? UNKNOWN as unknown as Json;
    await this.#again(id, () => host.send({
      to: member, from: RELEASES, principal: asked_by, conversation: id, key: "released", ...trace === undefined ? {} : { traceparent: trace },
      content: { approval: id, turn_id, tool: tool ?? grant, ...made as { readonly [key: string]: Json } },
    }));
    await ledger.store.commit({ scope: writer.scope, epoch: writer.epoch, at_ms: clock.now(), ops: [dropResult(id)] });
  }

  #about({ member, turn_id }: Approval, entry: Pick<NewEntry, "kind" | "data">): NewEntry {
    return { source: "mob", member, turn_id, ...entry };
  }

  /** What passes by itself is waited for. Throws the reason of the end of the mob, `OFF` while it takes no work. */
  async #again<T>(id: string, act: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    for (let waitMs = AGAIN_MS; ; waitMs = Math.min(AGAIN_MS_MAX, waitMs * 2)) {
      signal.throwIfAborted();
      try {
        return await act();
      } catch (error) {
        if (!signal.aborted && !isOn(this.#parts.view.mob)) throw OFF;
        if (signal.aborted || !isFault(error) || error.retry !== "later") throw error;
        if (error.code !== "mob.unavailable") this.#say(id, error);
        await sleep(waitMs, { clock: this.#parts.clock, signal });
      }
    }
  }

  #say(id: string, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const { code, text } = toFailure(error);
    this.#parts.log.write({ level: "warn", target: "approvals", msg: "a released call waits", fields: { id, code, text } });
  }
}
