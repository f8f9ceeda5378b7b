/**
 * `atoll mcp`: the tools of a project's blocks for MCP clients, over stdio or HTTP.
 * takes arguments; gives an exit code when the client is gone or a signal came; promises that standard output
 * has nothing but the protocol, and that no child outlives it; refuses wrong flags, all at once.
 */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { Problem } from "@atoll-run/core";
import { problemText } from "@atoll-run/core";
import { inherit } from "../../src/compose/inherit.ts";
import { findBlocks } from "../../src/mcp/blocks.ts";
import { type McpServing, serveMcpHttp, serveMcpStdio } from "../../src/mcp/serve.ts";
import { readEnv } from "../config/env.ts";
import { decideMcp, type McpPlan } from "../config/mcp.ts";
import { toRedactor, toSecrets } from "../config/secrets.ts";
import { EXIT } from "../exit.ts";
import { complain, complainOf, say } from "../output/terminal.ts";
import { readArguments } from "../program/arguments.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { type Command, commandOf } from "../program/table.ts";
import { folderProblems, readDotenv, readGrantsSetting, reason } from "../running/inputs.ts";
import { openOutput } from "../running/output.ts";
import { hearSignals } from "../signals.ts";
import { ChildWatcher } from "../watcher/watcher.ts";
import { version } from "./program.ts";

type Env = Readonly<Record<string, string>>;

export async function mcp(args: readonly string[]): Promise<number> {
  const command = commandOf("mcp") as Command;
  const given = readArguments(command, args);
  if (given.flags.has("help")) {
    await say(commandHelp(command));
    return EXIT.ok;
  }
  const env: Env = { ...process.env as Env };
  const { settings, unknown } = readEnv(env);
  const { grants, problems } = await readGrantsSetting(given.flags.get("grants")?.at(-1) ?? settings.get("GRANTS"));
  const decided = decideMcp({ given, settings, grants, rustLog: env["RUST_LOG"] });
  const wrong = [...problems, ...decided.ok ? folderProblems("DIR", decided.value.project) : decided.problems];
  if (!decided.ok || wrong.length > 0) {
    await complainOf(wrong, `${usageLine(command)}\nTry 'atoll mcp --help'.`);
    return EXIT.usage;
  }
  try {
    return await serve(decided.value, env, [...decided.warnings, ...unknown]);
  } catch (error) {
    await complain(`mcp: ${reason(error)}`);
    return EXIT.failed;
  }
}

async function serve(plan: McpPlan, env: Env, warnings: readonly Problem[]): Promise<number> {
  const project = resolve(plan.project);
  const token = plan.http?.token ?? randomBytes(24).toString("base64url");
  const redactor = toRedactor(toSecrets(env, readDotenv(project)).values());
  if (token !== "none") redactor.add(token);
  const output = openOutput(plan.log, redactor);
  for (const warning of warnings) output.log.write({ level: "warn", target: "block",
    msg: problemText(warning) });
  const watcher = new ChildWatcher((text) => output.log.write({ level: "warn", target: "sh", msg: text }));
  const serving: McpServing = {
    project, blocks: findBlocks(project, plan.scripts), version: version(), log: output.log,
    plainNames: plan.plainNames,
    config: {
      projectRoot: project, env: withoutToken(env), grants: plan.grants, limits: plan.limits, log: output.log,
      // The protocol has standard output: what scripts print is told beside it.
      stdout: (bytes) => inherit("stderr", bytes), parts: { childWatch: watcher },
    },
  };
  const signal = Promise.withResolvers<void>();
  using _ = hearSignals(({ count, number }) => {
    signal.resolve();
    if (count === 1) return;
    watcher.killNow();
    process.exit(EXIT.signal + number);
  });
  if (plan.http === undefined) {
    const server = await serveMcpStdio(serving, { input: process.stdin, output: process.stdout });
    await Promise.race([server.closed, signal.promise]);
    await server.close();
  } else {
    const door = await serveMcpHttp(serving, { ...plan.http, token: token === "none" ? undefined : token });
    const made = plan.http.token === undefined ? `\ntoken ${token}` : "";
    await inherit("stderr", `serving ${door.url}${made}\n`);
    await signal.promise;
    await door.close();
  }
  watcher.bye();
  await output.flush();
  return EXIT.ok;
}

/** No script needs it. */
function withoutToken(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.endsWith("_MCP_TOKEN")));
}
