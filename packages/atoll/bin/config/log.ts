/** `--log` and its variables for lasting commands: the log goes to standard error. */
import { parseLogFilter } from "@atoll-run/core";
import { misuse, type VerbCall } from "../tier/verb.ts";
import type { LogPlan } from "./run.ts";

export function decideLogPlan(call: VerbCall): LogPlan {
  const level = call.either("log", "LOG");
  const reading = parseLogFilter(level?.text ?? call.env["RUST_LOG"] ?? "info");
  if (!reading.ok) throw misuse(level?.where.name ?? "RUST_LOG", reading.problems.join("; "));
  return { filter: reading.filter, format: call.json ? "json" : "pretty", to: "stderr" };
}
