/** kill -9 of a program after so many of its lines: its halves of the tests of what was acknowledged. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

const STDOUT = 1;

/** For the program: at once and blocking, so that a line that is out was acknowledged before it. */
export function printNow(line: string): void {
  for (;;) {
    try {
      return void writeSync(STDOUT, `${line}\n`);
    } catch (error) {
      // The pipe is full, or another thread has made it non-blocking: its reader has other things to do.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Runs `node ...args`, kills it after so many lines and gives them all. Throws when it ends before. */
export async function killAfterLines(args: readonly string[], count: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === count) child.kill("SIGKILL");
  }
  await exited;
  if (lines.length < count) throw new Error(`the program ended after ${lines.length} lines`);
  return lines;
}
