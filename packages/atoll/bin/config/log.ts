/** `--log` and its variables for lasting commands: the log goes to standard error. */
import { parseLogFilter } from "@atoll-run/core";
import { misuse, type VerbCall } from "../tier/verb.ts";
import type { LogPlan } from "./run.ts";

export interface LogSettings {
  readonly level?: string | undefined;
  readonly format?: "pretty" | "json";
}

/** `given`: what the file of a deployment says; flags and variables come before it. */
export function decideLogPlan(call: VerbCall, given: LogSettings = {}): LogPlan {
  const level = call.either("log", "LOG");
  const reading = parseLogFilter(level?.text ?? given.level ?? call.env["RUST_LOG"] ?? "info");
  if (!reading.ok) throw misuse(level?.where.name ?? (given.level === undefined ? "RUST_LOG" : "log.level"), reading.problems.join("; "));
  return { filter: reading.filter, format: call.json ? "json" : given.format ?? "pretty", to: "stderr" };
}
