/**
 * The program `atoll`. Thin: each command is loaded when it is called, and the thread of a script's isle,
 * which takes longest to start, is started before everything else.
 */
import { enableCompileCache } from "node:module";
import type { Threads } from "./program/threads.ts";

enableCompileCache();
process.on("uncaughtException", async (error) => process.exit(await reportBug(error)));
process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  try {
    return await command(args);
  } catch (error) {
    return await reportBug(error);
  }
}

async function reportBug(error: unknown): Promise<number> {
  const { bugText } = await import("./output/terminal.ts");
  await bugText(error);
  return 70;
}

async function command([name, ...args]: readonly string[]): Promise<number> {
  switch (name) {
    case "run": {
      const threads = asksForHelp(args) ? undefined : await startThreads();
      try {
        return await (await import("./commands/run.ts")).run(args, threads);
      } finally {
        await threads?.end();
      }
    }
    case "doctor": return await (await import("./commands/doctor.ts")).doctor(args);
    case "mcp": return await (await import("./commands/mcp.ts")).mcp(args);
    case "mock-model": return await (await import("./commands/mock-model.ts")).mockModel(args);
    case "realm": return await (await import("./commands/realm.ts")).realm(args);
    case "node": return await (await import("./commands/node.ts")).node(args);
    case "mob": return await (await import("./commands/mob.ts")).mob(args);
    case "mailbox": return await (await import("./commands/mailbox.ts")).mailbox(args);
    case "dlq": return await (await import("./commands/dlq.ts")).dlq(args);
    case "keys": return await (await import("./commands/keys.ts")).keys(args);
    case "completion": return await (await import("./commands/completion.ts")).completion(args);
    default: return await (await import("./commands/program.ts")).program(name, args);
  }
}

/** A look that may err: at worst a thread is started in vain, or a little late. */
function asksForHelp(args: readonly string[]): boolean {
  return args.length === 0 || args.includes("--help") || args.includes("-h");
}

async function startThreads(): Promise<Threads> {
  return (await import("./program/threads.ts")).startThreads();
}
