/** The environment a child gets (spec: block 8.4). */
import { isSecretName } from "@atoll-run/core";

/**
 * Marks every child of a run and what it forks, so that the end of the run finds even those that left their
 * group.
 */
export const CHILD_MARK = "ATOLL_CHILD_OF";

export interface ChildEnvironment {
  /** What the block has: its environment, its `.env`, the overlay of the script. */
  readonly base: Readonly<Record<string, string>>;
  /** What the call adds: passes as it is. */
  readonly extra?: Readonly<Record<string, string>> | undefined;
  /** May a child inherit this secret? */
  secret(name: string): boolean;
  /** Value of the mark; absent for a child that outlives the run. */
  readonly mark?: string | undefined;
}

/**
 * Names that hold secrets are left out unless granted or given with the call. A run inside a run keeps both
 * marks.
 */
export function childEnvironment(parts: ChildEnvironment): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(parts.base)) {
    if (name !== CHILD_MARK && (!isSecretName(name) || parts.secret(name))) env[name] = value;
  }
  Object.assign(env, parts.extra);
  const marks = [parts.base[CHILD_MARK], parts.mark].filter((mark) => mark !== undefined && mark !== "");
  if (marks.length > 0) env[CHILD_MARK] = marks.join("/");
  return env;
}
