/** `atoll` without a command of its own: help, version, and words it does not know. */
import { readFileSync } from "node:fs";
import { nearest } from "@atoll-run/core";
import { EXIT } from "../exit.ts";
import { complain, say } from "../output/terminal.ts";
import { commandHelp, programHelp } from "../program/help.ts";
import { COMMANDS, commandOf } from "../program/table.ts";

export async function program(name: string | undefined, args: readonly string[]): Promise<number> {
  if (name === "--version" || name === "-V") return await answer(`atoll ${version()}`);
  const wantsHelp = name === "--help" || name === "-h" || (name === "help" && args.length === 0);
  if (wantsHelp) return await answer(programHelp());
  const asked = name === "help" ? args[0] : undefined;
  const command = asked === undefined ? undefined : commandOf(asked);
  if (command !== undefined) return await answer(commandHelp(command));
  if (name === undefined) {
    await complain(`no command\n${programHelp()}`);
    return EXIT.usage;
  }
  const wrong = asked ?? name;
  const near = nearest(wrong, COMMANDS.map((one) => one.name));
  const kind = wrong.startsWith("-") ? "flag" : "command";
  const guess = near === undefined ? "" : `; did you mean ${near}?`;
  await complain(`there is no ${kind} '${wrong}'${guess}\nTry 'atoll --help'.`);
  return EXIT.usage;
}

async function answer(text: string): Promise<number> {
  await say(text);
  return EXIT.ok;
}

export function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
