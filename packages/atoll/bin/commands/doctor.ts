/** `atoll doctor`: what this machine gives, what is missing, and how to get it. Changes nothing. */
import type { Problem, Setting } from "@atoll-run/core";
import { problemText } from "@atoll-run/core";
import { parseGrants } from "@atoll-run/block/internal";
import { homeOf } from "../../src/compose/settings.ts";
import { readEnv } from "../config/env.ts";
import { toSecrets } from "../config/secrets.ts";
import { checkDisk } from "../doctor/disk.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkHome, checkStores } from "../doctor/home.ts";
import { checkLua, checkNode, checkShell, checkSqlite } from "../doctor/machine.ts";
import { EXIT } from "../exit.ts";
import { coloured, wantsColour } from "../output/colours.ts";
import { complainOf, say } from "../output/terminal.ts";
import { readArguments } from "../program/arguments.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { type Command, commandOf } from "../program/table.ts";
import { readDotenv, readGrantsSetting } from "../running/inputs.ts";
import { version } from "./program.ts";

type Env = Readonly<Record<string, string>>;

export async function doctor(args: readonly string[]): Promise<number> {
  const command = commandOf("doctor") as Command;
  const { flags, positionals, problems } = readArguments(command, args);
  if (flags.has("help")) {
    await say(commandHelp(command));
    return EXIT.ok;
  }
  const wrong = [...problems,
    ...positionals.map((name) => ({ where: { name }, problem: "atoll doctor takes flags only" }))];
  if (wrong.length > 0) {
    await complainOf(wrong, usageLine(command));
    return EXIT.usage;
  }
  const env = process.env as Env;
  const { settings, unknown } = readEnv(env);
  const home = homeOf(env);
  const findings: Finding[] = [
    { name: "atoll", ok: true, text: version(), facts: { version: version() } }, checkNode(), checkSqlite(),
    checkLua(home), checkShell(),
    ...checkHome(home), ...(home === undefined ? [] : [checkDisk(home)]), ...checkStores(env),
    ...await checkGrants(flags.get("grants")?.at(-1) ?? settings.get("GRANTS")), checkSecrets(env),
    ...unknown.map(toFinding),
  ];
  const ok = findings.every((finding) => finding.ok);
  await say(flags.has("json") ? JSON.stringify({ ok, findings }, null, 2) : toText(findings));
  return ok ? EXIT.ok : EXIT.failed;
}

function toFinding(problem: Problem): Finding {
  const fix = "Remove the variable, or mend its name.";
  return { name: "settings", ok: false, text: problemText(problem), fix };
}

async function checkGrants(setting: Setting | undefined): Promise<Finding[]> {
  if (setting === undefined) return [];
  const { grants, problems } = await readGrantsSetting(setting);
  const wrong = grants.flatMap(({ where, text }) => {
    const read = parseGrants([text]);
    return read.ok ? [] : read.problems.map((problem) => ({ where, problem }));
  });
  const texts = [...problems, ...wrong].map(problemText);
  const fix = "Mend the list; atoll run refuses it as it is.";
  if (texts.length > 0) return texts.map((text) => ({ name: "grants", ok: false, text, fix }));
  const list = grants.map(({ text }) => text);
  return [{ name: "grants", ok: true,
    text: list.length === 0 ? "none: everything is denied" : list.join(", "), facts: { grants: list } }];
}

function checkSecrets(env: Env): Finding {
  const names = [...toSecrets(env, readDotenv(".")).keys()].sort();
  const text = names.length === 0 ? "none in this environment" : `hidden from children: ${names.join(", ")}`;
  return { name: "secrets", ok: true, text, facts: { hidden: names } };
}

function toText(findings: readonly Finding[]): string {
  const colour = wantsColour(process.stdout, process.env);
  const mark = (ok: boolean): string => {
    const word = ok ? "ok     " : "missing";
    return colour ? coloured(word, ok ? "green" : "red") : word;
  };
  const width = Math.max(...findings.map(({ name }) => name.length));
  const below = `\n${" ".repeat(width + 11)}`;
  return findings.map(({ name, ok, text, fix }) =>
    `${mark(ok)}  ${name.padEnd(width)}  ${text}${fix === undefined ? "" : below + fix}`).join("\n");
}
