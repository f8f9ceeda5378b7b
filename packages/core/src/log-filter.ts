/**
 * The filter language of `ATOLL_LOG` and `RUST_LOG`: `off`, `level`, `target=level`, `target`, and lists of
 * these with commas. The longest target that fits decides; without a bare level, targets that are not named
 * are off.
 */
import { LOG_LEVELS, type LogLevel } from "./log.ts";

export interface LogFilter {
  /** Is an event of this level and target written? */
  enabled(level: LogLevel, target: string): boolean;
  /** The most talkative level that any target has. */
  readonly verbosest: LogLevel | "off";
}

export type LogFilterReading =
  | { readonly ok: true; readonly filter: LogFilter }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Rank of a level; what is below the rank of its target is not written. 5 = off. */
const RANKS: ReadonlyMap<string, number> = new Map([
  ...LOG_LEVELS.map((level, rank): [string, number] => [level, rank]),
  ["off", 5], ["warning", 3], ["5", 0], ["4", 1], ["3", 2], ["2", 3], ["1", 4], ["0", 5],
]);

/** Names that filters of agent-block users hold, and what they are called here. */
const ALIASES: Readonly<Record<string, string>> = { agent_block_mcp: "mcp" };

/** Reads a filter; all its problems at once. An empty text is `info`. */
export function parseLogFilter(text: string): LogFilterReading {
  const problems: string[] = [];
  const targets = new Map<string, number>();
  let rest: number | undefined;
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  for (const part of parts) {
    const [name = "", level, ...more] = part.split("=").map((piece) => piece.trim());
    const bare = RANKS.get(name.toLowerCase());
    const rank = level === undefined ? 0 : RANKS.get(level.toLowerCase());
    if (level === undefined && bare !== undefined) rest = bare;
    else if (!/^[A-Za-z_][\w:.-]*$/.test(name) || more.length > 0) {
      problems.push(`'${part}' is neither a level nor target=level`);
    } else if (rank === undefined) {
      problems.push(`'${level}' is not one of off, ${LOG_LEVELS.toReversed().join(", ")}`);
    } else targets.set(Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? name) : name, rank);
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, filter: toFilter(rest ?? (parts.length === 0 ? 2 : 5), targets) };
}

function toFilter(rest: number, targets: ReadonlyMap<string, number>): LogFilter {
  const longestFirst = [...targets].sort(([a], [b]) => b.length - a.length);
  const rankOf = (target: string): number => longestFirst.find(([name]) => covers(name, target))?.[1] ?? rest;
  return {
    enabled: (level, target) => LOG_LEVELS.indexOf(level) >= rankOf(target),
    verbosest: LOG_LEVELS[Math.min(rest, ...targets.values())] ?? "off",
  };
}

/** `mcp` covers `mcp`, `mcp.stdio` and `mcp::stdio`, not `mcpx`. */
function covers(name: string, target: string): boolean {
  const rest = target.slice(name.length);
  return target.startsWith(name) && (rest === "" || rest.startsWith(".") || rest.startsWith(":"));
}
