/**
 * The process that runs one bench, `node bench-child.ts FILE facts|quick|whole`: talks to `measure.ts` by its
 * channel.
 */
import { pathToFileURL } from "node:url";
import type { Bench, Row } from "./bench.ts";

export interface BenchMessage {
  readonly facts: Omit<Bench, "run">;
  readonly rows: readonly Row[];
}

const [file = "", how] = process.argv.slice(2);
const { bench } = await import(pathToFileURL(file).href) as { bench?: Bench };
if (typeof bench?.run !== "function") throw new Error(`${file} exports no bench`);
const { run: _, ...facts } = bench;
const { rows } = how === "facts" ? { rows: [] } : await bench.run({ quick: how === "quick" });
process.send?.({ facts, rows } satisfies BenchMessage, undefined, undefined, () => process.disconnect?.());
