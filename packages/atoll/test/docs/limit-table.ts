/** A table of limits: values as they are, reasons as they stand beside them in their source. */
import { limitText } from "@atoll-run/core";

export function limitTable(limits: Readonly<Record<string, unknown>>, source: string): string {
  const reasons = reasonsOf(source);
  const rows = Object.entries(limits).flatMap(([name, value]) =>
    typeof value === "number" ? [`| \`${name}\` | ${textOf(name, value)} | ${reasons.get(name) ?? ""} |`] : []);
  return `| limit | value | why |\n|---|---|---|\n${rows.join("\n")}`;
}

/** The unit stands in the name. */
function textOf(name: string, value: number): string {
  if (/Ms(Max|Min)?$/.test(name)) return limitText(value, "ms");
  return /Bytes(Max|Min)?$|BytesCeiling$/.test(name) ? limitText(value, "bytes") : value.toLocaleString("en-US");
}

/** Comment → the name below it. */
function reasonsOf(source: string): ReadonlyMap<string, string> {
  const found = source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(\w+):/g);
  return new Map([...found].map(([, text = "", name = ""]) => [name, text.replaceAll(/\s*\n\s*\*?\s*/g, " ").trim()]));
}
