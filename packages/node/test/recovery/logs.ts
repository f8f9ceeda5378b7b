/** Recorded logs of the machines: what happened when, and what the machine made of it. */
import { readdirSync, readFileSync } from "node:fs";

export interface RecordedLog<E, S> {
  readonly title: string;
  readonly start: { readonly expires_at_ms: number; readonly has_key: boolean };
  readonly steps: readonly ({ readonly at_ms: number; readonly event: E } & S)[];
}

/** Logs whose names begin so. */
export function readLogs<E, S>(prefix: string): readonly RecordedLog<E, S>[] {
  const dir = new URL("logs/", import.meta.url);
  return readdirSync(dir).filter((name) => name.startsWith(prefix)).sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, dir), "utf8")) as RecordedLog<E, S>);
}
