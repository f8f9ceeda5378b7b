/** The demo as its users start it: a process of its own, over a folder with every kind of finding. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { PROGRAM } from "../support/cli.ts";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface DemoOrder {
  /** Working folder; holds the packages in `project`. */
  readonly folder: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Hears what was printed so far, whenever there is more. */
  readonly hear?: (child: ChildProcess, said: string) => void;
}

export async function runDemo({ folder, args = [], env = {}, hear }: DemoOrder): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, "mob", "demo", "project", ...args], {
    cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout: 60_000, killSignal: "SIGKILL",
    env: { PATH: process.env["PATH"] ?? "", HOME: join(folder, "home"), ...env },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
    hear?.(child, err);
  });
  const [code] = await once(child, "close") as [number | null];
  return { code, out, err };
}

/** Text of both files. */
export function reportIn(folder: string, out: string): readonly [markdown: string, json: string] {
  return [readFileSync(join(folder, out, "report.md"), "utf8"), readFileSync(join(folder, out, "report.json"), "utf8")];
}
