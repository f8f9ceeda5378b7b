/** Faults that core itself gives. Rooms that use its parts may turn them into codes of their own. */
import { Fault } from "./fault.ts";

export type CoreFault =
  | { readonly code: "core.timed_out"; readonly facts: { readonly what: string; readonly ms: number } }
  | { readonly code: "core.closed"; readonly facts: { readonly what: string } }
  | { readonly code: "core.overloaded"; readonly facts: { readonly what: string; readonly limit: number } }
  | { readonly code: "codec.too_large"; readonly facts: { readonly bytes: number; readonly limit: number } }
  | { readonly code: "codec.malformed"; readonly facts: MalformedFacts };

/** A type, not an interface: facts are plain records. */
export type MalformedFacts = {
  /** The message or frame that was read. */
  readonly what: string;
  /** The rule that it broke: `required`, `truncated`, `utf8` … */
  readonly rule: string;
  /** The field, where one is known. */
  readonly field?: string;
  /** Offset in the bytes that were given, where one is known. */
  readonly at?: number;
};

/** A wait was longer than its budget of `ms` milliseconds. */
export function timedOut(what: string, ms: number): Fault<CoreFault> {
  return new Fault<CoreFault>({
    code: "core.timed_out", facts: { what, ms }, text: `${what} took longer than ${ms} ms`, retry: "later",
    hint: "Give it more time, or look at what it waits for.",
  });
}

/** Something was asked of a part that has been closed. */
export function closed(what: string): Fault<CoreFault> {
  return new Fault<CoreFault>({ code: "core.closed", facts: { what }, text: `${what} is closed` });
}

/** A bounded queue and its bounded waiting room are full. */
export function overloaded(what: string, limit: number): Fault<CoreFault> {
  return new Fault<CoreFault>({
    code: "core.overloaded", facts: { what, limit }, text: `${what} is full (${limit})`, retry: "later",
    retry_after_ms: 100, hint: "Send less at a time, or read faster.",
  });
}

/** A codec was given one message of more than `limit` bytes. */
export function tooLarge(what: string, bytes: number, limit: number): Fault<CoreFault> {
  return new Fault<CoreFault>({
    code: "codec.too_large", facts: { bytes, limit }, text: `${what} is larger than ${limit} bytes`,
    hint: "Send it in smaller pieces, or raise the limit.",
  });
}

/** Bytes that are not what they must be. They are never guessed at. */
export function malformed(facts: MalformedFacts): Fault<CoreFault> {
  const where = `${facts.what}${facts.field === undefined ? "" : `.${facts.field}`}`;
  return new Fault<CoreFault>({
    code: "codec.malformed", facts, hint: "The sender must be mended: nothing of it was used.",
    text: `${where} is malformed (${facts.rule}${facts.at === undefined ? "" : `, byte ${facts.at}`})`,
  });
}
