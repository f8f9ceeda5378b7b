/** The figures as text: for the terminal, for bench/README.md, and as data. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { nameOf, type Judged, type Measured } from "./measure.ts";

const BEGIN = "<!-- figures: begin, written by `npm run bench -- --write` -->";
const END = "<!-- figures: end -->";

/** One line: what the figures were taken on. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}, ${memory} GiB, `
    + `${platform()} ${arch()}, Node ${process.versions.node}`;
}

export function toMarkdown(all: readonly Measured[], date: Date): string {
  const lines = [
    `Machine: ${describeMachine()}. Date: ${date.toISOString().slice(0, 10)}. `
      + "Command: `npm run bench -- --write`.",
    "", "| bench | row | value | bar | met | how |", "|---|---|---|---|---|---|",
    ...all.flatMap((one) => "trouble" in one ? [`| ${nameOf(one.file)} | could not run | | | no | |`]
      : one.rows.map((row) => `| ${cellsOf(one.facts, row).join(" | ")} |`)),
    "", ...all.flatMap((one) => "trouble" in one ? [] : [`- **${one.facts.name}**: ${one.facts.question}`]),
  ];
  return lines.join("\n");
}

/** The same cells in columns, for a person at a terminal. */
export function toColumns(measured: Measured): string {
  if ("trouble" in measured) return `${nameOf(measured.file)} could not run: ${measured.trouble}`;
  const table = measured.rows.map((row) => cellsOf(measured.facts, row).slice(1));
  const widths = [0, 1, 2, 3].map((at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0)));
  const toLine = (cells: readonly string[]): string =>
    `  ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd()}`;
  return [`${measured.facts.name}: ${measured.facts.question}`, ...table.map(toLine)].join("\n");
}

function cellsOf(facts: { readonly name: string; readonly unit: string }, row: Judged): readonly string[] {
  const { bar } = row;
  const bounds = [...bar?.atMost === undefined ? [] : [`≤ ${bar.atMost}`],
    ...bar?.atLeast === undefined ? [] : [`≥ ${bar.atLeast}`]];
  const met = bounds.length === 0 ? "" : row.ok ? "yes" : row.gross ? "NO" : "no, by less than × 1.5";
  const value = `${formatValue(row.value)} ${row.unit ?? facts.unit}`;
  return [facts.name, row.name, value, bounds.join(", "), met, row.note ?? ""];
}

/** Three figures that count. */
function formatValue(value: number): string {
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export function toData(all: readonly Measured[], date: Date): object {
  return {
    machine: describeMachine(), date: date.toISOString(),
    benches: all.map((one) => "trouble" in one ? { file: nameOf(one.file), trouble: one.trouble } : {
      file: nameOf(one.file), name: one.facts.name, question: one.facts.question, unit: one.facts.unit,
      rows: one.rows.map(({ name, value, unit, note, bar, ok }) => ({
        name, value, ok, ...unit === undefined ? {} : { unit }, ...note === undefined ? {} : { note },
        ...bar?.atMost === undefined ? {} : { at_most: bar.atMost },
        ...bar?.atLeast === undefined ? {} : { at_least: bar.atLeast },
      })),
    }),
  };
}

/** Puts the table between the marks of the file, or at its end when it has none yet. */
export function writeFigures(file: string, table: string): void {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "# Benchmarks\n";
  const block = `${BEGIN}\n${table}\n${END}`;
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  const fresh = from < 0 || to < 0 ? `${text.trimEnd()}\n\n${block}\n`
    : text.slice(0, from) + block + text.slice(to + END.length);
  writeFileSync(file, fresh);
}
