/**
 * Host half of `sh.exec`, `io.popen` and `os.execute` (spec: block 5.5). takes shell text or a program with
 * arguments; gives codes and captured output, or a pipe by number; promises that a failing command never
 * raises; refuses by grant, with one text for all three; never lets a child outlive the run but where
 * `detach` was granted.
 */
import { type BlockLimits, type Clock, isFault } from "@atoll-run/core";
import { capture } from "../children/capture.ts";
import type { Child, ChildRunner, Exit } from "../children/runner.ts";
import type { GrantGate } from "../grants/gate.ts";
import type { Handles } from "./handles.ts";
import type { OpCall, Ops, Value } from "./op.ts";
import { exitNumber, type ShOptions, readShOptions, shellText } from "./sh/options.ts";
import { openPipe, type Pipe } from "./sh/pipe.ts";

export interface ShParts {
  readonly gate: Pick<GrantGate, "run" | "restricted">;
  readonly runner: ChildRunner;
  readonly clock: Clock;
  /** Pipes of `io.popen`; shared with the files of `fsOps`. */
  readonly handles: Handles;
  /** Default folder of children; absolute. */
  readonly projectRoot: string;
  /** Where the output of `os.execute`, and of `io.popen` beside the pipe, goes. */
  readonly write: (stream: "stdout" | "stderr", bytes: Uint8Array) => void | Promise<void>;
}

/**
 * Bytes kept of each stream of `sh.exec`, which a restricted script cannot raise; its time without `timeout`.
 */
export type ShLimits = Pick<BlockLimits, "childOutputBytesMax" | "childMs">;

/**
 * `sh.exec(cmd, opts)`, `os.execute(cmd)`, `io.popen.open(cmd, mode)`, `.read(n, bytes)`, `.write(n, data)`,
 * `.close(n)`.
 */
export function shOps(parts: ShParts, limits: ShLimits): Ops {
  return {
    "sh.exec": ([command, opts], call) => exec(parts, readShOptions(command, opts, {
      projectRoot: parts.projectRoot, maxOutput: limits.childOutputBytesMax, capped: parts.gate.restricted,
      timeoutMs: limits.childMs,
    }), call),
    "os.execute": ([command], call) => execute(parts, command, call),
    "io.popen.open": ([command, mode], call) =>
      popen(parts, shellText(command), mode === "w" ? "w" : "r", call),
    "io.popen.read": ([id, bytes], call) =>
      pipeOf(parts, id, call).read(Number(bytes ?? 65_536), call.signal),
    "io.popen.write": async ([id, data], call) => {
      await pipeOf(parts, id, call).write(data, call.signal);
      return undefined;
    },
    "io.popen.close": async ([id], call) => {
      const pipe = pipeOf(parts, id, call);
      parts.handles.forget(Number(id));
      return exitValue(await pipe.finish(call.signal));
    },
  };
}

function pipeOf(parts: ShParts, id: Value, call: OpCall): Pipe {
  return parts.handles.get("pipe", id, call) as Pipe;
}

/** Never throws but when cancelled, and for wrong arguments, which are read before. */
async function exec(parts: ShParts, o: ShOptions, call: OpCall): Promise<Value> {
  try {
    // What runs is named as it is granted: a bare name is looked up by the runner, anything else is an
    // absolute path.
    parts.gate.run(o.args === undefined ? null : o.command, o.detach);
    const child = await parts.runner.start(
      { ...o, owner: call.isle, stdin: o.stdin === undefined ? "ignore" : "pipe" }, call,
    );
    if (o.detach) return { ok: true, pid: child.pid };
    return await captured(parts, child, o, call);
  } catch (error) {
    if (call.signal.aborted || !isFault(error)) throw error;
    if (error.code === "grant.denied") return { ok: false, error: error.message, code: error.code };
    const known = error.code === "sh.exec" ? error.message : `exec error: ${error.message}`;
    return { ok: false, error: known };
  }
}

async function captured(parts: ShParts, child: Child, o: ShOptions, call: OpCall): Promise<Value> {
  const said = await capture(child, {
    clock: parts.clock, timeoutMs: o.timeoutMs, signal: call.signal, maxOutput: o.maxOutput, stdin: o.stdin,
  });
  const output = { stdout: said.stdout, stderr: said.stderr, ...(said.truncated ? { truncated: true } : {}) };
  if (said.exit === undefined) {
    return { ok: false, error: `timeout after ${o.timeoutMs / 1_000}s`, timed_out: true, ...output };
  }
  const { code, signal } = said.exit;
  return { ok: true, code: code ?? -1, ...output, ...(signal === null ? {} : { signal }) };
}

/**
 * Without a command: is there a shell? With one: as Lua's `os.execute`, `{ok, kind = "exit" | "signal",
 * code}`.
 */
async function execute(parts: ShParts, command: Value, call: OpCall): Promise<Value> {
  parts.gate.run(null, false);
  if (command === undefined || command === null) return true;
  const child = await parts.runner.start(
    { command: shellText(command), cwd: parts.projectRoot, stdin: "ignore", owner: call.isle }, call,
  );
  const pipe = openPipe(child, { mode: "none", clock: parts.clock, write: parts.write });
  return exitValue(await pipe.finish(call.signal));
}

async function popen(parts: ShParts, command: string, mode: "r" | "w", call: OpCall): Promise<Value> {
  parts.gate.run(null, false);
  return parts.handles.open("pipe", command, call, async () => {
    const child = await parts.runner.start(
      { command, cwd: parts.projectRoot, stdin: mode === "w" ? "pipe" : "ignore", owner: call.isle }, call,
    );
    return openPipe(child, { mode, clock: parts.clock, write: parts.write });
  });
}

function exitValue(exit: Exit): Value {
  return exit.signal === null
    ? { ok: exit.code === 0, kind: "exit", code: exit.code ?? 0 }
    : { ok: false, kind: "signal", code: exitNumber(exit.signal) };
}
