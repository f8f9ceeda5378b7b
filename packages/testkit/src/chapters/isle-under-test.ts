/** What an engine brings to `isleChapters`, and how the chapters start its scripts. */
import type { IsleCaps, IsleHost, ScriptEngine, ScriptIsle } from "@atoll-run/core";

/** Sources in the engine's language. */
export interface IsleScripts {
  /** Gives 7. */
  readonly seven: string;
  /** Gives nothing. */
  readonly nothing: string;
  /** Calls tool `give` with null, and tool `take` with what came; gives what `take` gave. */
  readonly passOn: string;
  /** Calls tool `refuse`, catches the error, gives its code and its text in a list. */
  readonly caught: string;
  /** Calls tool `refuse` and lets the error go. */
  readonly uncaught: string;
  /**
   * Calls tool `ask` with 0, 1 and 2 and gives the list of answers; each call where the language makes
   * waiting hardest.
   */
  readonly nested: string;
  /** Is not a program. */
  readonly broken: string;
  /** Raises an error with the text `boom`. */
  readonly boom: string;
  /** Adds one to a global that was never set, counting from 0, and gives it. */
  readonly count: string;
  /** Prints `a`, calls tool `ask` with null, prints `b`; each with a line break. */
  readonly print: string;
  /**
   * Handles `echo` with its payload, `fail` with an error `no`, and `add` with a counter; then serves for
   * ever.
   */
  readonly serve: string;
  /** Calls tool `ask` with null and waits. */
  readonly wait: string;
  /** Scripts that never end by themselves, by what they do; each first calls tool `begun` with null. */
  readonly endless: Readonly<Record<string, string>>;
  /** Takes memory for ever, by how. */
  readonly hungry: Readonly<Record<string, string>>;
  /** Takes memory until there is none, catches that, gives `caught`. */
  readonly sated: string;
}

export interface IsleUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  readonly scripts: IsleScripts;
  open(): ScriptEngine;
}

export const NO_CAPS: IsleCaps = { bytesMax: 64 << 20, cpuMsMax: Infinity, wallMsMax: Infinity };

export interface StartOptions {
  readonly tools?: IsleHost["tools"];
  readonly caps?: Partial<IsleCaps>;
  readonly print?: IsleHost["print"];
}

export type Start = (source: string, o?: StartOptions) => ScriptIsle;

