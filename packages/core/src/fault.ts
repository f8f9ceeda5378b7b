/**
 * The one error class of Atoll. A fault has a stable `code` (`<room>.<snake_case>`), plain `facts`, a retry
 * class and a sentence that says what to do. No error is recognised by its text; across threads and processes
 * compare `code`.
 */
import { toPlain } from "./plain.ts";

export type Retry = "never" | "later" | "elsewhere";

/** What a room declares: one member of a union for each code it may give. */
export interface FaultShape {
  readonly code: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface FaultInit<F extends FaultShape> {
  readonly code: F["code"];
  readonly facts?: F["facts"];
  /** The whole text a person or a script sees. */
  readonly text: string;
  readonly retry?: Retry;
  /** True when the effect may have happened although the answer is an error. */
  readonly uncertain?: boolean;
  /** Milliseconds to wait before trying again; only with `retry: "later"`. */
  readonly retry_after_ms?: number;
  /** One sentence: what to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Plain data form of a fault: stored, sent to another thread, printed with `--json`. */
export interface FaultData {
  readonly code: string;
  readonly text: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly retry: Retry;
  readonly uncertain?: boolean;
  readonly retry_after_ms?: number;
  readonly hint?: string;
}

export class Fault<F extends FaultShape = FaultShape> extends Error {
  override readonly name: string = "Fault";
  readonly code: F["code"];
  readonly facts: F["facts"];
  readonly retry: Retry;
  declare readonly uncertain?: boolean;
  declare readonly retry_after_ms?: number;
  declare readonly hint?: string;

  constructor(init: FaultInit<F>) {
    super(init.text, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.facts = init.facts ?? {};
    this.retry = init.retry ?? "never";
    if (init.uncertain !== undefined) this.uncertain = init.uncertain;
    if (init.retry_after_ms !== undefined) this.retry_after_ms = init.retry_after_ms;
    if (init.hint !== undefined) this.hint = init.hint;
  }
}

/** True for a fault made in any thread or copy of this package: looks at the shape, not at the class. */
export function isFault(value: unknown): value is Fault {
  if (!(value instanceof Error)) return false;
  const { code, facts, retry } = value as { code?: unknown; facts?: unknown; retry?: unknown };
  return typeof code === "string" && typeof facts === "object" && typeof retry === "string";
}

/**
 * Plain data of a fault, safe to clone into another thread: facts that cannot cross are described in words,
 * cause and class stay behind.
 */
export function toFaultData(fault: Fault): FaultData {
  return {
    code: fault.code,
    text: fault.message,
    facts: toPlain(fault.facts) as Record<string, unknown>,
    retry: fault.retry,
    ...(fault.uncertain === undefined ? {} : { uncertain: fault.uncertain }),
    ...(fault.retry_after_ms === undefined ? {} : { retry_after_ms: fault.retry_after_ms }),
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
  };
}

/** The fault again, from its plain data. */
export function toFault(data: FaultData): Fault {
  const { text, ...rest } = data;
  return new Fault({ ...rest, text });
}
