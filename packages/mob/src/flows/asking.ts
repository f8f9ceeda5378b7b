/**
 * One target of a step: the turn that it is asked by, from the sending to the answer (spec: mob 9.4).
 *
 * takes what is asked; gives the answer or what went wrong; promises that the same target and attempt are one turn, however
 * often it is asked for, after a start too; refuses nothing; never gives up on a trouble that passes: the step has a time.
 */
import { isFault, onAbort, sleep, withDeadline, type Clock } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { fromBlob, isRef, toBlob, toRef } from "../blobs/ref.ts";
import type { FlowStep } from "../definition/definition.ts";
import { toFailure, type Failure } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost, TurnAsk } from "../member/host.ts";
import type { Ticket, Turn } from "../member/turn.ts";
import { asOutput, checkOutput } from "./expect.ts";

export interface AskingParts {
  readonly host: Pick<MemberHost, "send" | "wait" | "cancel">;
  readonly ledger: Pick<Ledger, "redact">;
  readonly blobs: Pick<Blobs, "get" | "put">;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "cancelMs">;
  readonly step: Pick<FlowStep, "output" | "expect">;
}

export type Answer = { readonly turn_id?: string } & ({ readonly ok: true } | { readonly ok: false; readonly error: Failure });

const AGAIN_MS = 50;
const AGAIN_MS_MAX = 5_000;

/** Undefined: the signal has aborted. With `cancels` as its reason the turn is cancelled too. */
export async function askTarget(ask: TurnAsk, parts: AskingParts, { signal, cancels }: { signal: AbortSignal; cancels: unknown }): Promise<Answer | undefined> {
  const { host, step } = parts;
  let turnId: string | undefined;
  let sending: Promise<Ticket> | undefined;
  try {
    sending = again(() => send(ask, parts), parts, signal);
    turnId = (await orAbort(sending, signal)).turn_id;
    const turn_id = turnId;
    const turn = await orAbort(again(async () => await whole(await host.wait(turn_id, { signal }), parts), parts, signal), signal);
    return { turn_id, ...judge(turn, step) };
  } catch (error) {
    if (!signal.aborted) return { ...turnId === undefined ? {} : { turn_id: turnId }, ok: false, error: toFailure(error) };
    if (signal.reason === cancels && sending !== undefined) await cancel(sending, ask.principal, parts);
    return undefined;
  }
}

/** A message that is too large to be sent goes as a blob; the same one has the same, so that its key stands for it. */
async function send(ask: TurnAsk, { host, ledger, blobs }: AskingParts): Promise<Ticket> {
  return await host.send(ask).catch(async (error: unknown) => {
    if (!isFault(error) || error.code !== "mob.too_large") throw error;
    return await host.send({ ...ask, content: toRef(await blobs.put(toBlob(ledger.redact(ask.content)))) });
  });
}

/** What passes by itself is waited for. Throws the reason of the signal. */
export async function again<T>(act: () => Promise<T>, { clock }: Pick<AskingParts, "clock">, signal: AbortSignal): Promise<T> {
  for (let waitMs = AGAIN_MS; ; waitMs = Math.min(AGAIN_MS_MAX, waitMs * 2)) {
    signal.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || !isFault(error) || error.retry !== "later") throw error;
      await sleep(Math.max(waitMs, error.retry_after_ms ?? 0), { clock, signal });
    }
  }
}

async function orAbort<T>(waiting: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  using _ = onAbort(signal, aborted.reject);
  return await Promise.race([waiting, aborted.promise]);
}

/** Whether or not it can be: nobody waits for it any more. */
async function cancel(sending: Promise<Ticket>, principal: string, { host, clock, limits }: AskingParts): Promise<void> {
  const act = async (): Promise<unknown> => host.cancel((await sending).turn_id, { principal });
  await withDeadline(act, { clock, ms: limits.cancelMs, what: "the cancel of a turn" }).catch(() => undefined);
}

/** What is a blob is judged by what is in it; it stays one. */
async function whole(turn: Turn, { step: { expect }, blobs }: AskingParts): Promise<Turn> {
  const { output } = turn;
  if (expect === null || !isRef(output)) return turn;
  const { bytes, media_type } = await blobs.get(output.blob_id);
  return { ...turn, output: fromBlob({ media_type, bytes }) };
}

function judge({ state, output, error }: Turn, step: AskingParts["step"]): { readonly ok: true } | { readonly ok: false; readonly error: Failure } {
  if (state !== "done") return { ok: false, error: error ?? { code: "mob.interrupted", text: `the turn is ${state}` } };
  const { expect } = step;
  const problem = expect === null ? undefined : checkOutput(expect, asOutput(step, output));
  return problem === undefined ? { ok: true } : { ok: false, error: { code: "mob.output_invalid", text: problem } };
}
