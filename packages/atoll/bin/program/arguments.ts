/** Arguments of a command, read by its declaration. All problems at once; nothing is looked up or opened. */
import { parseArgs } from "node:util";
import { nearest, type Problem, type Setting } from "@atoll-run/core";
import type { Command, Flag } from "./table.ts";

export interface Arguments {
  /** Flags by name, in the order they were given. */
  readonly flags: ReadonlyMap<string, readonly Setting[]>;
  /** What is no flag, before `--`. */
  readonly positionals: readonly string[];
  /** What stands behind `--`. */
  readonly rest: readonly string[];
  readonly problems: readonly Problem[];
}

/** A flag without a value, such as `--restricted`, has the text `true`; `--allow-net` alone has none: "". */
export function readArguments(command: Command, args: readonly string[]): Arguments {
  const { tokens } = parseArgs({
    args: [...args], strict: false, allowPositionals: true, tokens: true,
    options: Object.fromEntries(command.flags.map((flag) => [flag.name, {
      type: takesNext(flag) ? "string" as const : "boolean" as const,
      ...(flag.short === undefined ? {} : { short: flag.short }),
    }])),
  });
  const flags = new Map<string, Setting[]>();
  const problems: Problem[] = [];
  const positionals: string[] = [];
  const rest: string[] = [];
  let behind = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") behind = true;
    else if (token.kind === "positional") (behind ? rest : positionals).push(token.value);
    else {
      const flag = command.flags.find(({ name }) => name === token.name);
      const problem = flag === undefined ? unknown(command, token.name) : problemOf(flag, token);
      if (flag === undefined || problem !== undefined) {
        problems.push({ where: { name: token.rawName }, ...problem as Wrong });
      } else {
        const text = token.value ?? (flag.optional === true ? "" : "true");
        flags.set(flag.name, [...flags.get(flag.name) ?? [], { where: { name: `--${flag.name}` }, text }]);
      }
    }
  }
  return { flags, positionals, rest, problems };
}

type Wrong = Pick<Problem, "problem" | "hint">;

function takesNext(flag: Flag): boolean {
  return flag.value !== undefined && flag.optional !== true;
}

function problemOf(flag: Flag, token: { readonly value?: string | undefined }): Wrong | undefined {
  if (takesNext(flag)) {
    return token.value === undefined ? { problem: `needs a value: --${flag.name} ${flag.value}` } : undefined;
  }
  if (flag.value === undefined && token.value !== undefined) return { problem: "takes no value" };
  return flag.optional === true && token.value === "" ? { problem: "has nothing behind =" } : undefined;
}

function unknown(command: Command, name: string): Wrong {
  const near = nearest(name, command.flags.map((flag) => flag.name));
  return { problem: "there is no such flag",
    hint: near === undefined ? `see atoll ${command.name} --help` : `did you mean --${near}?` };
}
