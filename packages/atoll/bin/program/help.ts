/** Help texts, made from the declarations. */
import { COMMANDS, type Command, type Flag } from "./table.ts";

/** Width of a line of help. */
const COLUMNS = 100;
const INDENT = 30;

export function usageLine(command: Command, verb?: string): string {
  const usages = (command.verbs ?? []).filter(([usage]) => verb !== undefined && firstWord(usage) === verb);
  if (usages.length === 0) return `Usage: atoll ${command.name} ${command.usage}`;
  return usages.map(([usage], at) => `${at === 0 ? "Usage:" : "      "} atoll ${command.name} ${usage} [FLAGS]`).join("\n");
}

export function programHelp(): string {
  return [
    "Usage: atoll COMMAND [FLAGS]", "", "A runtime for fleets of long-lived software agents.", "",
    "Commands:",
    ...COMMANDS.map(({ name, what }) => entry(name, what)), "", "Flags:",
    entry("-h, --help", "Print this help; atoll COMMAND --help tells more."),
    entry("-V, --version", "Print the version."),
  ].join("\n");
}

/** Of one of its verbs, or of all. */
export function commandHelp(command: Command, verb?: string): string {
  const own = (command.verbs ?? []).filter(([usage]) => firstWord(usage) === verb);
  const isOne = own.length > 0;
  const sections = [
    usageLine(command, verb), "", ...isOne ? own.flatMap(([, what]) => wrap(what, COLUMNS)) : [command.what], "",
    ...isOne || command.verbs === undefined ? [] : [`Verbs (atoll ${command.name} VERB --help tells of one alone):`, ...command.verbs.map(([usage, what]) => entry(usage, what)), ""],
    "Flags:",
    ...command.flags.filter(({ verbs }) => !isOne || verbs === undefined || verbs.includes(verb ?? "")).map((flag) => entry(flagHead(flag), flagText(flag))),
  ];
  if (command.variables !== undefined) {
    sections.push("", "Variables (ATOLL_NAME, else AGENT_BLOCK_NAME; a flag wins over its variable):",
      ...command.variables.map(
        (v) => entry(v.bare === true ? v.name : `ATOLL_${v.name}`, `${v.what} [${v.default}]`)));
  }
  const examples = command.examples.filter(([line]) => !isOne || line.split(" ")[2] === verb);
  if (examples.length > 0) sections.push("", "Examples:", ...examples.flatMap(([line, what]) => [`  ${line}`, `      ${what}`]));
  sections.push("", "Exit codes:", ...command.exits.map(([code, what]) => entry(code, what)));
  return sections.join("\n");
}

function firstWord(usage: string): string {
  return usage.split(" ")[0] ?? "";
}

/** `-s, --script PATH`. */
export function flagHead(flag: Flag): string {
  const value = flag.value === undefined ? "" : flag.optional === true ? `[=${flag.value}]`
    : ` ${flag.value}`;
  return `${flag.short === undefined ? "    " : `-${flag.short}, `}--${flag.name}${value}`;
}

function flagText(flag: Flag): string {
  const facts = [
    ...(flag.default === undefined ? [] : [flag.default]),
    ...(flag.setting === undefined ? [] : [`variable ATOLL_${flag.setting}`]),
    ...(flag.repeat === true ? ["repeatable"] : []),
  ];
  return flag.what + (facts.length === 0 ? "" : ` [${facts.join("; ")}]`);
}

function entry(head: string, text: string): string {
  const start = `  ${head}`.padEnd(INDENT);
  const lines = wrap(text, COLUMNS - INDENT);
  const shown = start.endsWith("  ") ? [start + (lines[0] ?? ""), ...lines.slice(1).map(indented)]
    : [start, ...lines.map(indented)];
  return shown.join("\n");
}

function indented(line: string): string {
  return " ".repeat(INDENT) + line;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
