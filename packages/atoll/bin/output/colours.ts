/** Colours on a terminal, unless NO_COLOR says no. */
import type { LogLevel } from "@atoll-run/core";

export function wantsColour(
  stream: { readonly isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

const CODES = { red: "31", yellow: "33", green: "32", blue: "34", dim: "2", bold: "1" } as const;

export function coloured(text: string, colour: keyof typeof CODES): string {
  return `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

const LEVELS: Readonly<Record<LogLevel, keyof typeof CODES>> = {
  error: "red", warn: "yellow", info: "green", debug: "blue", trace: "dim",
};

/** Colours time, level and target of a pretty line; its text stays as it is. */
export function colouredLine(line: string, level: LogLevel): string {
  return line.replace(/^(\S+) ( ?[A-Z]+) ([^:]*:)/, (_, time: string, name: string, target: string) =>
    `${coloured(time, "dim")} ${coloured(name, LEVELS[level])} ${coloured(target, "dim")}`);
}
