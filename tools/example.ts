/** `npm run example:node`: the example of nodes, its output as it comes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export async function main(): Promise<number> {
  const file = fileURLToPath(new URL("../examples/node/run.ts", import.meta.url));
  const child = spawn(process.execPath, [file], { stdio: "inherit" });
  const [code] = await once(child, "exit") as [number | null];
  return code ?? 1;
}
