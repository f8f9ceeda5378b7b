/**
 * Thread of the SQL child that hears its parent die, even in the middle of a statement: it waits at a pipe
 * that only the parent holds. Lines on it name folders that must not stay behind.
 */
import { readSync, rmSync } from "node:fs";

const LIFELINE = 3;

function readToEnd(): string {
  const chunk = Buffer.allocUnsafe(4096);
  let text = "";
  try {
    for (let length = readSync(LIFELINE, chunk); length > 0; length = readSync(LIFELINE, chunk)) {
      text += chunk.toString("utf8", 0, length);
    }
  } catch {
    // A broken pipe says the same as its end: the parent is gone.
  }
  return text;
}

for (const line of readToEnd().split("\n")) {
  if (line !== "") rmSync(JSON.parse(line) as string, { recursive: true, force: true });
}
process.kill(process.pid, "SIGKILL");
