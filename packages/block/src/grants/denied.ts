/**
 * A refusal in words (spec: block 8.4): always verb, object, reason and the exact grant that would allow it.
 */
import { blockError, type BlockError } from "../errors.ts";

export type GrantVerb = "net" | "run" | "fs.read" | "fs.write" | "env" | "mcp" | "mesh" | "mob" | "secret";

export interface Denied {
  readonly verb: GrantVerb;
  /** What was to be acted on: `10.0.0.5:80`, `/etc/passwd`, `shell text`. */
  readonly object: string;
  readonly reason: string;
  /** The grant that would allow it, or undefined when none can. */
  readonly grant: string | undefined;
}

const PHRASE: Readonly<Record<GrantVerb, string>> = {
  net: "net connect to", run: "run", "fs.read": "fs.read", "fs.write": "fs.write", env: "env",
  mcp: "mcp call", mesh: "mesh send to", mob: "mob", secret: "secret",
};

/** The error of a refusal, code `grant.denied`, with the facts of `denial`. */
export function deniedError(denial: Denied): BlockError {
  const needs = denial.grant === undefined ? "no grant allows it" : `needs grant ${printable(denial.grant)}`;
  const what = `${PHRASE[denial.verb]} ${printable(denial.object)}`;
  const text = `denied: ${what} (${printable(denial.reason)}); ${needs}`;
  return blockError("grant.denied", text, { facts: { ...denial, grant: denial.grant ?? null } });
}

/** A path may hold control characters; a log line may not. */
function printable(text: string): string {
  const escaped = (char: string): string => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return text.replace(/[\u0000-\u001f\u007f]/g, escaped);
}
