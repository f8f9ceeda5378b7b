/**
 * The process that runs one proof: `node proof-child.ts FILE ORDER`, talks to `run-proof.ts` over its
 * channel.
 */
import { pathToFileURL } from "node:url";
import type { Proof, ProofResult } from "./proof.ts";

/** What the parent gives. Nothing of it: only the facts of the proof are asked for. */
export interface ChildOrder {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  readonly deadlineAtMs: number;
}

export type ChildMessage =
  | { readonly kind: "facts"; readonly facts: Omit<Proof, "run"> }
  | { readonly kind: "rounds"; readonly done: number }
  | { readonly kind: "result"; readonly result: ProofResult };

/** Rounds may take microseconds; the parent needs to hear of them only now and then. */
const TELL_EVERY_MS = 200;

const [file = "", orderText] = process.argv.slice(2);
const { proof } = await import(pathToFileURL(file).href) as { proof?: Proof };
if (typeof proof?.run !== "function") throw new Error(`${file} exports no proof`);
const { run: _, ...facts } = proof;
if (orderText === undefined) await tell({ kind: "facts", facts });
else await tell({ kind: "result", result: await prove(proof, JSON.parse(orderText) as ChildOrder) });
process.disconnect?.();

async function prove(what: Proof, order: ChildOrder): Promise<ProofResult> {
  const stop = new AbortController();
  // A parent that is gone cannot say stop: its channel closes.
  process.once("disconnect", () => stop.abort(new Error("the parent is gone")));
  process.once("message", () => stop.abort(new Error("interrupted")));
  let done = 0;
  let toldAt = 0;
  const onRound = (): void => {
    done += 1;
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    void tell({ kind: "rounds", done });
  };
  const result = await what.run({ ...order, onRound, signal: stop.signal });
  await tell({ kind: "rounds", done });
  return result;
}

/** Resolves when the message is on its way; a parent that is gone is no error. */
function tell(message: ChildMessage): Promise<void> {
  return new Promise((done) => {
    if (!process.connected || !process.send) return done();
    process.send(message, undefined, undefined, () => done());
  });
}
