/**
 * `atoll run`: one script, from flags and variables to an exit code.
 * takes arguments; gives an exit code; promises that prints go to standard output and nothing else does, and
 * that no child outlives it; refuses wrong flags and settings, all at once; never decides what a script may
 * do.
 */
import { randomUUID } from "node:crypto";
import { blockError } from "@atoll-run/block";
import type { Problem, Redactor } from "@atoll-run/core";
import { problemText } from "@atoll-run/core";
import { onBrokenOutput } from "../../src/compose/inherit.ts";
import { luaModule } from "../../src/compose/lua.ts";
import { type RunConfig, type StartedBlock, startBlock } from "../../src/compose/run-block.ts";
import { homeOf } from "../../src/compose/settings.ts";
import { readEnv } from "../config/env.ts";
import { decideRun, type RunPlan } from "../config/run.ts";
import { readSecretKey, toRedactor, toSecrets } from "../config/secrets.ts";
import { EXIT, toExitCode } from "../exit.ts";
import { complain, complainOf, faultText, say } from "../output/terminal.ts";
import { readArguments } from "../program/arguments.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { type Command, commandOf } from "../program/table.ts";
import type { Threads } from "../program/threads.ts";
import { folderProblems, programBlocks, readDotenv, readGrantsSetting, readStandardInput, readText, reason } from "../running/inputs.ts";
import { openOutput, type RunOutput } from "../running/output.ts";
import { type Ending, openResult } from "../running/result-file.ts";
import { RunSignals } from "../running/run-signals.ts";
import { ChildWatcher } from "../watcher/watcher.ts";

type Env = Readonly<Record<string, string>>;

/** `threads`: started ahead; absent when help was asked for. */
export async function run(args: readonly string[], threads: Threads | undefined): Promise<number> {
  const command = commandOf("run") as Command;
  const given = readArguments(command, args);
  if (given.flags.has("help")) {
    await say(commandHelp(command));
    return EXIT.ok;
  }
  const env: Env = { ...process.env as Env };
  const { settings, unknown } = readEnv(env);
  const { grants, problems } = await readGrantsSetting(
    given.flags.get("grants")?.at(-1) ?? settings.get("GRANTS"));
  const decided = decideRun({ given, settings, grants, rustLog: env["RUST_LOG"] });
  const wrong = [...problems, ...decided.ok ? folderProblems("--project", decided.value.project) : decided.problems];
  if (!decided.ok || wrong.length > 0) {
    await complainOf(wrong, `${usageLine(command)}\nTry 'atoll run --help'.`);
    return EXIT.usage;
  }
  const plan = decided.value;
  const secrets = toSecrets(env, readDotenv(plan.project));
  const redactor = toRedactor(secrets.values());
  try {
    return await runPlan({
      plan, env, redactor, threads, warnings: [...decided.warnings, ...unknown], secrets: [...secrets.keys()],
    });
  } catch (error) {
    await complain(faultText(error, redactor));
    return toExitCode(error);
  }
}

interface Parts {
  readonly plan: RunPlan;
  readonly env: Env;
  readonly redactor: Redactor;
  readonly threads: Threads | undefined;
  readonly warnings: readonly Problem[];
  /** Names of secret variables. */
  readonly secrets: readonly string[];
}

/** From a checked plan to an exit code; throws what hinders the start. */
async function runPlan(parts: Parts): Promise<number> {
  const { plan, env, redactor } = parts;
  checkKey(plan, redactor);
  const prompt = readText(plan.prompt);
  const context = readText(plan.context);
  const script = plan.script === "-" ? { source: await readStandardInput(), name: "stdin" }
    : { path: plan.script };
  const result = openResult(plan.result, redactor);
  const output = openLog(plan, redactor);
  const warn = (target: string, msg: string): void => output.log.write({ level: "warn", target, msg });
  for (const warning of parts.warnings) warn("block", problemText(warning));
  parts.threads?.provide(() => luaModule(homeOf(env)));
  const blocks = programBlocks(process.argv[1]);
  const watcher = new ChildWatcher((text) => warn("sh", text));
  using signals = new RunSignals(() => watcher.killNow());
  const begun = performance.now();
  const block = startBlock({
    ...meshOf(plan),
    script, projectRoot: plan.project, args: plan.args, env, log: output.log, stdout: output.stdout,
    mcpTimeoutMs: plan.mcpTimeoutMs,
    ...(prompt === undefined ? {} : { prompt }), ...(context === undefined ? {} : { context }),
    grants: plan.grants, secrets: plan.secrets ?? parts.secrets, limits: plan.limits, trace: traceOf(plan),
    parts: { childWatch: watcher, ...(blocks === undefined ? {} : { programBlocksDir: blocks }),
      ...(parts.threads === undefined ? {} : { placing: parts.threads.placing }) },
  });
  signals.guide(block);
  const ended = await endOf(block, output, begun);
  watcher.bye();
  return await tell({ ...ended, signals, redactor, write: (ending, code) => result.write(ending, code) });
}

interface Ended {
  readonly ending: Ending;
  /** The reader of the prints has gone. */
  readonly brokenPipe: boolean;
}

/** Waits for the end, and for the last byte of output. */
async function endOf(block: StartedBlock, output: RunOutput, begun: number): Promise<Ended> {
  let lost: NodeJS.ErrnoException | undefined;
  using _ = onBrokenOutput((stream, error) => {
    if (stream !== "stdout") return;
    lost ??= error;
    block.cancel("the output is lost");
  });
  const ending = await block.result.then(
    (result): Ending => ({ result }),
    (error: unknown): Ending => ({ error, duration_ms: performance.now() - begun }),
  );
  await output.flush();
  if (lost === undefined || lost.code === "EPIPE") return { ending, brokenPipe: lost !== undefined };
  const error = blockError("io.failed", `I/O error: standard output: ${reason(lost)}`, { cause: lost });
  return { ending: { error, duration_ms: performance.now() - begun }, brokenPipe: false };
}

interface Telling extends Ended {
  readonly signals: RunSignals;
  readonly redactor: Redactor;
  write(ending: Ending, exitCode: number): void;
}

/** Says how the run ended, in the words of people and of programs; gives the exit code. */
async function tell({ ending, brokenPipe, signals, redactor, write }: Telling): Promise<number> {
  const code = codeOf(ending, { brokenPipe, signals });
  // A reader that has gone is told nothing.
  if ("error" in ending && !brokenPipe) await complain(faultText(ending.error, redactor));
  write(ending, code);
  return code;
}

/** A signal that cut off what still ran behind a script that had returned counts too. */
function codeOf(
  ending: Ending, by: { readonly brokenPipe: boolean; readonly signals: RunSignals },
): number {
  if (by.brokenPipe) return EXIT.brokenPipe;
  const { first, cancelledBy } = by.signals;
  if ("error" in ending) return toExitCode(ending.error, { signal: first });
  return cancelledBy === undefined ? ending.result.exit_code : EXIT.signal + cancelledBy;
}

function checkKey(plan: RunPlan, redactor: Redactor): void {
  if (plan.secretKey === undefined) return;
  redactor.add(plan.secretKey.text);
  const reading = readSecretKey(plan.secretKey.text);
  if (!reading.ok) throw blockError("runtime.failed", `runtime error: ${reading.problem}`);
}

function openLog(plan: RunPlan, redactor: Redactor): RunOutput {
  try {
    return openOutput(plan.log, redactor);
  } catch (cause) {
    throw blockError("io.failed", `I/O error: --log-to '${plan.log.to}': ${(cause as Error).message}`,
      { cause });
  }
}

function meshOf({ relay, secretKey }: RunPlan): Pick<RunConfig, "mesh"> {
  if (relay === undefined) return {};
  return { mesh: { relayUrl: relay, ...secretKey === undefined ? {} : { secretKey: secretKey.text } } };
}

/** On a mesh, the run itself knows who it is. */
function traceOf({ trace, relay }: RunPlan): RunPlan["trace"] {
  return trace.agent_id === undefined && relay === undefined ? { ...trace, agent_id: randomUUID() } : trace;
}
