/** What the program itself says: answers on standard output, complaints on standard error. */
import { configErrorText, isFault, type Problem, type Redactor } from "@atoll-run/core";
import { flushInherited, inherit } from "../../src/compose/inherit.ts";
import { coloured, wantsColour } from "./colours.ts";

/** Writes a text and its line end to standard output; settles when it is there. */
export async function say(text: string): Promise<void> {
  await inherit("stdout", `${text}\n`);
  await flushInherited();
}

/** `atoll: text` on standard error. */
export async function complain(text: string): Promise<void> {
  const name = wantsColour(process.stderr, process.env) ? coloured("atoll:", "red") : "atoll:";
  await inherit("stderr", `${name} ${text}\n`);
  await flushInherited();
}

/** All problems at once, and what else may help. */
export async function complainOf(problems: readonly Problem[], help: string): Promise<void> {
  await complain(`${configErrorText(problems)}\n${help}`);
}

/** The text of a fault, with its hint on a line of its own; secrets masked. */
export function faultText(error: unknown, redactor?: Redactor): string {
  const text = isFault(error) ? error.message : bugOf(error);
  const hint = isFault(error) && error.hint !== undefined ? `\n  ${error.hint}` : "";
  return redactor === undefined ? text + hint : redactor.text(text + hint);
}

/** Says that something happened that should not. */
export async function bugText(error: unknown): Promise<void> {
  await complain(bugOf(error));
}

function bugOf(error: unknown): string {
  return `internal error: ${error instanceof Error ? error.stack ?? error.message : String(error)}`;
}
