/** How a mob has ended, for a person. */
import type { ShutdownReport } from "../../src/mob.ts";
import { countOf } from "../tier/verb.ts";

/** Names of one phase that are told. */
const LEFT_MAX = 8;

export function farewell({ clean, phases, aborted_turns, queued_left, approvals_open, drafts }: ShutdownReport & { readonly drafts: number }): string {
  const left = [
    [aborted_turns, "turn was given up: it runs again at the next start", "turns were given up: they run again at the next start"],
    [queued_left, "turn waits for the next start", "turns wait for the next start"],
    [approvals_open, "approval is open: atoll mob approve decides at the next start", "approvals are open: atoll mob approve decides at the next start"],
    [drafts, "draft: what it asks for was not done", "drafts: what they ask for was not done"],
  ] as const;
  const late = phases.filter((phase) => phase.timed_out || phase.left.length > 0).map(({ name, timed_out, left: names }) =>
    `  ${name}: ${timed_out ? "its time was over" : "not in order"}${names.length === 0 ? "" : `: ${names.slice(0, LEFT_MAX).join(", ")}${names.length > LEFT_MAX ? " …" : ""}`}`);
  return [clean ? "ended in order" : "ended, not all of it in order", ...late, ...left.filter(([count]) => count > 0).map(([count, one, many]) => `  ${countOf(count, one, many)}`)].join("\n");
}
