/** Durations and sizes as people write them. */
import type { Reading } from "@atoll-run/core";

const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES: Readonly<Record<string, number>> = {
  B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824, KB: 1_000, MB: 1_000_000, GB: 1_000_000_000,
};

/** Milliseconds. */
export function readDuration(text: string): Reading<number> {
  return read(text, { units: TIMES, what: "a time such as 250ms, 30s or 15m" });
}

/** Bytes. */
export function readSize(text: string): Reading<number> {
  return read(text, { units: SIZES, what: "a size such as 64KiB or 256MiB" });
}

function read(
  text: string, { units, what }: { readonly units: Readonly<Record<string, number>>; readonly what: string },
): Reading<number> {
  const [, digits = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] as number : undefined;
  const value = factor === undefined ? Number.NaN : Math.round(Number(digits) * factor);
  if (Number.isSafeInteger(value)) return { ok: true, value };
  return { ok: false, problem: `'${text}' is not ${what}` };
}
