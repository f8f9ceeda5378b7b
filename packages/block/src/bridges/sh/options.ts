/** Arguments of `sh.exec`, `os.execute` and `io.popen`. */
import { constants } from "node:os";
import { resolve } from "node:path";
import { blockError } from "../../errors.ts";
import { readBytes, readFields, readFlag, readNumber, readText, wrongType } from "../arguments.ts";
import type { Value } from "../op.ts";

export interface ShOptions {
  /** Shell text, or with `args` a bare program name or an absolute path. */
  readonly command: string;
  readonly args: readonly string[] | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly stdin: string | Uint8Array | undefined;
  /** `Infinity` = none. */
  readonly timeoutMs: number;
  /** Bytes of each stream. */
  readonly maxOutput: number;
  readonly detach: boolean;
}

export interface ShDefaults {
  readonly projectRoot: string;
  readonly timeoutMs: number;
  readonly maxOutput: number;
  /** The default of `maxOutput` is also its bound. */
  readonly capped: boolean;
}

/** Throws `script.argument` naming what is wrong. */
export function readShOptions(command: Value, opts: Value, defaults: ShDefaults): ShOptions {
  const fields = readFields("sh.exec: opts", opts);
  const where = (name: string): string => `sh.exec: opts.${name}`;
  const seconds = readNumber(where("timeout"), fields["timeout"]);
  if (seconds !== undefined && seconds < 0) throw negative(where("timeout"), seconds);
  const asked = readNumber(where("max_output"), fields["max_output"]) ?? defaults.maxOutput;
  if (asked < 0) throw negative(where("max_output"), asked);
  const cwd = resolve(defaults.projectRoot, readText(where("cwd"), fields["cwd"]) ?? ".");
  const args = readList(where("args"), fields["args"]);
  const text = shellText(command);
  return {
    command: args !== undefined && text.includes("/") ? resolve(cwd, text) : text,
    args, cwd,
    env: readEnv(where("env"), fields["env"]),
    stdin: readBytes(where("stdin"), fields["stdin"]),
    timeoutMs: seconds === undefined ? defaults.timeoutMs : seconds * 1_000,
    maxOutput: Math.floor(defaults.capped ? Math.min(asked, defaults.maxOutput) : asked),
    detach: readFlag(where("detach"), fields["detach"], false),
  };
}

/** Shell text must be UTF-8: a program's arguments cannot be handed over as other bytes. */
export function shellText(command: Value): string {
  return readText("sh.exec: argument #1", command) ?? wrongType("sh.exec: argument #1", "string", command);
}

/** Number of a signal, as Lua reports it. */
export function exitNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}

function negative(where: string, got: number): Error {
  return blockError("script.argument", `${where} must not be negative, got ${got}`, { facts: { where } });
}

function readList(where: string, value: Value): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0) return [];
  if (!Array.isArray(value)) return wrongType(where, "list", value);
  return value.map(
    (item: Value, at) => readText(`${where}[${at + 1}]`, item)
      ?? wrongType(`${where}[${at + 1}]`, "string", item),
  );
}

function readEnv(where: string, value: Value): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const env: Record<string, string> = {};
  for (const [name, item] of Object.entries(readFields(where, value))) {
    env[name] = readText(`${where}.${name}`, item) ?? wrongType(`${where}.${name}`, "string", item);
  }
  return env;
}
