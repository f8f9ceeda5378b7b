/**
 * Port of a script engine: scripts of one language in isles that share nothing with each other and reach
 * nothing of the host but what they are given. Conformance: `isleChapters` in testkit.
 *
 * Promises: whatever a script does, it is over shortly after its cancel or its limit, holds no more memory
 * than its cap, and no other isle notices; every promise given out settles; nothing is left running after
 * dispose. Faults: `script.syntax`, `script.failed` (the script's own errors), `isle.memory`, `isle.timeout`,
 * `run.cancelled`, `isle.crashed`.
 */
import type { Json } from "../json.ts";

/** What one isle may spend; `Infinity` = none. */
export interface IsleCaps {
  /** Memory, host buffers held for the isle included. */
  readonly bytesMax: number;
  /** CPU and wall time of the run, in milliseconds. */
  readonly cpuMsMax: number;
  readonly wallMsMax: number;
}

/** What a script can reach. Integers, floats and text cross unchanged both ways. */
export interface IsleHost {
  /**
   * Functions of the host by name. A rejection is an error in the script: text, `code` and `retry` of a
   * fault.
   */
  readonly tools: Readonly<Record<string, (input: Json, o: { signal: AbortSignal }) => Json | Promise<Json>>>;
  /** Bytes the script printed, in order. A promise holds the script back. */
  print(bytes: Uint8Array): void | Promise<void>;
}

export interface ScriptIsle extends AsyncDisposable {
  /** Settles when the script has ended: with its value as JSON (null without one), or with a fault. */
  readonly ended: Promise<Json>;
  /** Has the script handle an event; rejects with what its handler raised. */
  handle(kind: string, payload: Json, o?: { readonly signal?: AbortSignal }): Promise<Json>;
  /** Ends the script whatever it does: `run.cancelled`. */
  cancel(): void;
}

export interface IsleStart {
  readonly name: string;
  readonly host: IsleHost;
  readonly caps: IsleCaps;
}

export interface ScriptEngine extends AsyncDisposable {
  /** Starts a script; `name` is how its errors call it. */
  start(source: string, o: IsleStart): ScriptIsle;
}
