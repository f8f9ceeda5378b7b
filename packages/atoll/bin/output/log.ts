/** The log of the program: filtered, masked, one line for each event. */
import { closeSync, openSync, writeSync } from "node:fs";
import { formatJson, formatPretty, type Log, type LogEvent, type Redactor } from "@atoll-run/core";
import type { LogPlan } from "../config/run.ts";
import { colouredLine } from "./colours.ts";

/** Takes whole lines, with their line end. Contract: returns at once and never throws. */
export interface LineSink {
  write(line: string): void;
  /** Bytes that wait for the reader. */
  readonly waiting: number;
}

/** A reader that is slower than the log must not fill our memory. */
const WAITING_BYTES_MAX = 8 * 1_048_576;

export interface ProgramLogParts {
  readonly plan: LogPlan;
  readonly sink: LineSink;
  readonly redactor: Redactor;
  readonly colour: boolean;
  readonly now: () => number;
}

export function createProgramLog({ plan, sink, redactor, colour, now }: ProgramLogParts): Log {
  const format = plan.format === "json" ? formatJson : formatPretty;
  const text = (event: LogEvent): string => {
    const line = format(lifted(event), now(), redactor);
    return colour && plan.format === "pretty" ? colouredLine(line, event.level) : line;
  };
  let lost = 0;
  return {
    write(event) {
      if (!plan.filter.enabled(event.level, event.target)) return;
      if (sink.waiting > WAITING_BYTES_MAX) {
        lost++;
        return;
      }
      if (lost > 0) {
        const msg = `${lost} lines of the log were lost: their reader is too slow`;
        sink.write(`${text({ level: "warn", target: "block", msg })}\n`);
        lost = 0;
      }
      sink.write(`${text(event)}\n`);
    },
  };
}

/** Script, isle and task come as fields where a script speaks; they have places of their own in an event. */
function lifted(event: LogEvent): LogEvent {
  if (event.fields === undefined) return event;
  const { script, isle, task, ...fields } = event.fields;
  return {
    ...event, fields, ...(typeof script === "string" ? { script } : {}),
    ...(typeof task === "string" ? { task } : {}),
    ...(isle === "main" || isle === "handler" ? { isle } : {}),
  };
}

/** A file that is appended to, line by line. Throws when it cannot be opened. */
export function openLogFile(path: string, warn: (text: string) => void): LineSink & Disposable {
  const file = openSync(path, "a");
  let failed = false;
  return {
    waiting: 0,
    write(line) {
      try {
        writeSync(file, line);
      } catch (error) {
        if (!failed) warn(`the log cannot be written to ${path}: ${(error as Error).message}`);
        failed = true;
      }
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}
