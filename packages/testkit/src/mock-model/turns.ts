/** Which turn of a script answers a request: the first that fits and is not used up. */
import type { MockAsk } from "./dialect.ts";
import type { MockTurn, MockWhen } from "./script.ts";

export interface MockTurns {
  /** Uses up the turn it gives; undefined when none fits. */
  next(ask: MockAsk): MockTurn | undefined;
  /** Turns that must still be used: those without `times: "any"`. */
  left(): number;
}

export function scriptTurns(turns: readonly MockTurn[]): MockTurns {
  const uses = turns.map(({ times = 1 }) => (times === "any" ? Infinity : times));
  return {
    next(ask) {
      const at = turns.findIndex((turn, i) => (uses[i] as number) > 0 && fits(turn.when ?? {}, ask));
      if (at >= 0) uses[at] = (uses[at] as number) - 1;
      return turns[at];
    },
    left: () => uses.filter((left) => left > 0 && left !== Infinity).reduce((sum, left) => sum + left, 0),
  };
}

function fits(when: MockWhen, ask: MockAsk): boolean {
  const same = <T>(wanted: T | undefined, found: T): boolean => wanted === undefined || wanted === found;
  const has = (wanted: string | undefined, found: string): boolean => wanted === undefined
    || found.includes(wanted);
  return same(when.api, ask.api) && same(when.model, ask.model) && same(when.stream, ask.stream)
    && same(when.messages, ask.messages.length)
    && has(when.text, ask.lastText) && has(when.system, ask.system) && has(when.body, ask.text)
    && (when.tool === undefined || ask.tools.includes(when.tool))
    && (when.tool_result === undefined || ask.toolResults.some((result) => has(when.tool_result, result)));
}
