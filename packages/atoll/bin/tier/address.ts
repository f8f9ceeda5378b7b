/** `[HOST:]PORT` as people write it. */
import type { Setting } from "@atoll-run/core";
import { misuse } from "./verb.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;

export function readAddress(setting: Setting | undefined, fallback: string): Address {
  const text = setting?.text ?? fallback;
  const [, named = "127.0.0.1", digits = ""] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > PORT_MAX) throw misuse(setting?.where.name ?? "listen", `'${text}' is not [HOST:]PORT`);
  return { host: named.replace(/^\[(.*)\]$/, "$1"), port };
}
