/** How a command is declared: parsing, help, completion and `docs/cli.md` are made from it. */

export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of its value; absent = the flag stands alone. */
  readonly value?: string;
  /** The value may be left out, and then follows only behind `=`. */
  readonly optional?: true;
  readonly repeat?: true;
  /** Setting it stands for: `LOG` = `ATOLL_LOG`, then `AGENT_BLOCK_LOG`. */
  readonly setting?: string;
  readonly default?: string;
  /** What completion offers. */
  readonly complete?: "file" | "folder" | readonly string[];
  /** Verbs that it is for, of a command that has some; absent: all. */
  readonly verbs?: readonly string[];
  readonly what: string;
}

/** A setting that has no flag. */
export interface Variable {
  /** Without the prefix; with `bare` the whole name. */
  readonly name: string;
  readonly bare?: true;
  readonly default: string;
  readonly what: string;
}

export interface Command {
  readonly name: string;
  /** What stands behind the name in the usage line. */
  readonly usage: string;
  readonly what: string;
  /** What it can do, when that is more than one thing: the first word behind the name, with its own arguments. */
  readonly verbs?: readonly (readonly [usage: string, what: string])[];
  readonly flags: readonly Flag[];
  readonly variables?: readonly Variable[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** Exit codes it uses; those of the program when absent. */
  readonly exits: readonly (readonly [code: string, what: string])[];
  /** What completion offers for what is no flag. */
  readonly complete?: Flag["complete"];
}

export const HELP: Flag = { name: "help", short: "h", what: "Print this help." };

/** The verbs of a command as words. */
export function verbWords({ verbs = [] }: Command): readonly string[] {
  return [...new Set(verbs.map(([usage]) => usage.split(" ")[0] ?? ""))];
}
