/**
 * Where the output of a run goes: prints to standard output byte for byte, the log to standard error, a file,
 * or between the prints. Order is the order of the script.
 */
import type { OutputSource, Sink } from "@atoll-run/block";
import type { Log, Redactor } from "@atoll-run/core";
import { flushInherited, inherit } from "../../src/compose/inherit.ts";
import type { LogPlan } from "../config/run.ts";
import { wantsColour } from "../output/colours.ts";
import { LineMerger } from "../output/lines.ts";
import { createProgramLog, type LineSink, openLogFile } from "../output/log.ts";

export interface RunOutput {
  readonly log: Log;
  readonly stdout: Sink;
  /** Lets everything out; settles when the system has it. */
  flush(): Promise<void>;
}

/** Throws when the file of the log cannot be opened. */
export function openOutput(plan: LogPlan, redactor: Redactor): RunOutput {
  const make = (sink: LineSink, colour: boolean): Log =>
    createProgramLog({ plan, sink, redactor, colour, now: () => Date.now() });
  const straight = { stdout: "inherit" as const, flush: flushInherited };
  switch (plan.to) {
    case "none": return { ...straight, log: { write: () => undefined } };
    case "stderr": return { ...straight, log: make(standardError, wantsColour(process.stderr, process.env)) };
    case "stdout": return between((sink) => make(sink, wantsColour(process.stdout, process.env)));
    default: {
      const file = openLogFile(plan.to, (text) => standardError.write(`atoll: ${text}\n`));
      return { ...straight, log: make(file, false) };
    }
  }
}

const standardError: LineSink = {
  get waiting() {
    return process.stderr.writableLength;
  },
  write: (line) => void inherit("stderr", line),
};

function between(make: (sink: LineSink) => Log): RunOutput {
  const merger = new LineMerger<OutputSource | "log">((bytes) => inherit("stdout", bytes));
  const sink: LineSink = {
    get waiting() {
      return process.stdout.writableLength;
    },
    write: (line) => void merger.put(Buffer.from(line), "log"),
  };
  return {
    log: make(sink), stdout: (bytes, from) => merger.put(bytes, from),
    flush: async () => {
      await merger.end();
      await flushInherited();
    },
  };
}
