/** Business errors: part of a route's contract, a finished request and no failure (spec: node 2.6). */
import { nodeError, type NodeError } from "@atoll-run/core";

/** Returned by a handler, it keeps the recorded transaction; thrown (`ctx.fail`), it discards it. */
export class Refusal<C extends string = string, D = unknown> extends Error {
  override readonly name = "Refusal";
  readonly code: C;
  readonly details: D;

  constructor(code: C, details: D) {
    super(`refused: ${code}`);
    this.code = code;
    this.details = details;
  }
}

/** A business error to return: what the handler recorded is done all the same. */
export function err<const C extends string>(code: C): Refusal<C, undefined>;
export function err<const C extends string, D>(code: C, details: D): Refusal<C, D>;
export function err(code: string, details?: unknown): Refusal {
  return new Refusal(code, details);
}

/** What a caller is thrown for it: the fact `error` is `{code, details}`. */
export function businessFault(code: string, details: unknown, o: { text: string; cause?: unknown }): NodeError {
  const facts = { error: { code, details } };
  return nodeError("node.business", o.text, { facts, ...o.cause === undefined ? {} : { cause: o.cause } });
}
