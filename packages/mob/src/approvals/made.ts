/**
 * What approved calls have given (spec: mob 8.10): a turn that runs again finds it instead of making them again.
 *
 * takes calls that were approved; gives what an earlier run of their turn was given; promises that who calls the same twice in one run
 * makes it twice, and finds both; refuses nothing: what cannot be kept is made again; never keeps what has failed.
 */
import type { Clock, Json, Log } from "@atoll-run/core";
import { toFailure } from "../errors.ts";
import type { Entry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { preview } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import type { ToolCall } from "../member/host.ts";
import { FINAL_TURNS, type TurnState } from "../member/turn.ts";
import type { Approval } from "./approval.ts";
import { keepMade, keptMade } from "./arguments.ts";

export interface MadeParts {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "previewBytes" | "retentionMs" | "contentBytesMax">;
}

/** What a run of a turn has called of each approval. */
interface Pass {
  readonly pass: string;
  readonly calls: Map<string, number>;
}

export class Made {
  readonly #parts: MadeParts;
  readonly #passes = new Map<string, Pass>();

  constructor(parts: MadeParts) {
    this.#parts = parts;
  }

  /** Undefined: it is to be made, and is kept. */
  async find({ turn_id, pass, done }: ToolCall, approval: Approval): Promise<{ readonly made: Json } | undefined> {
    if (turn_id === undefined || pass === undefined || done === undefined) return undefined;
    const { id } = approval;
    const nth = this.#count(turn_id, pass, id);
    const found = await keptMade(this.#parts.ledger.store, id, nth);
    if (found === undefined) done((made) => this.#keep(approval, nth, made));
    return found;
  }

  hear({ class: of, kind, turn_id }: Entry): void {
    if (of === "turn" && turn_id !== undefined && FINAL_TURNS.has(kind.slice("turn_".length) as TurnState)) this.#passes.delete(turn_id);
  }

  /** From 0. */
  #count(turnId: string, pass: string, id: string): number {
    let known = this.#passes.get(turnId);
    if (known?.pass !== pass) this.#passes.set(turnId, known = { pass, calls: new Map() });
    const nth = known.calls.get(id) ?? 0;
    known.calls.set(id, nth + 1);
    return nth;
  }

  async #keep({ id, member, turn_id }: Approval, nth: number, made: Json): Promise<void> {
    const { ledger, writer, clock, log, limits } = this.#parts;
    if (Buffer.byteLength(JSON.stringify(made)) > limits.contentBytesMax) return;
    try {
      const ops = await keepMade(ledger.store, { id, nth, beforeMs: clock.now() - limits.retentionMs }, made);
      const result = preview(JSON.stringify(ledger.redact(made)), limits.previewBytes);
      await ledger.append(writer, [{ kind: "tool_execution_completed", source: "mob", member, turn_id, data: { approval: id, ok: true, result } }], ops);
    } catch (error) {
      // It has been made: its code is told so.
      log.write({ level: "warn", target: "approvals", msg: "what an approved call gave was not kept", fields: { id, ...toFailure(error) } });
    }
  }
}
