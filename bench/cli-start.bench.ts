/** Block 11, CLI start-up: whole processes, from spawn to exit. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bench } from "../tools/bench/bench.ts";
import { builtCommand } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";

const PROCESS_MS = 30_000;
const command = builtCommand();

export const bench: Bench = {
  name: "CLI start-up", unit: "×",
  question: "What does `atoll run` of a script that prints one line cost as a whole process, against `node -e 0`?",
  bars: command === undefined ? [] : [{ name: "atoll run", atMost: 4.5 }],
  async run({ quick }) {
    if (command === undefined) return { rows: [{ name: "cannot run yet", value: 0, note: "the build has no program" }] };
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    const hello = join(folder, "hello.lua");
    writeFileSync(hello, 'print("hello")\n');
    // its own home, so that the cache of compiled Lua is as after a first run
    const env = { HOME: folder, PATH: process.env["PATH"] ?? "" };
    const timed = (file: string, args: readonly string[], prints: string) => async (): Promise<number> => {
      const begun = performance.now();
      const { stdout } = await promisify(execFile)(file, [...args], { cwd: folder, env, timeout: PROCESS_MS });
      if (stdout !== prints) throw new Error(`${file} ${args.join(" ")} printed ${JSON.stringify(stdout)}`);
      return performance.now() - begun;
    };
    try {
      const node = timed(process.execPath, ["-e", "0"], "");
      const times = await takeTurns({ node, atoll: timed(process.execPath, [command, "run", hello], "hello\n") }, rounds(quick));
      return { rows: [ratioRow("atoll run", times.atoll, times.node)] };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
