/**
 * Reporter for `node:test` that writes one JSON line for each finished test, read by the runner of `npm
 * test`.
 */
import { inspect } from "node:util";
import type { TestEvent } from "node:test/reporters";

/** One line. */
export type Report =
  | { readonly kind: "pass"; readonly title: string }
  | { readonly kind: "skip"; readonly title: string; readonly reason: string }
  | { readonly kind: "fail"; readonly title: string; readonly place: string; readonly error: string }
  | { readonly kind: "end" };

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path: string[] = [];
  for await (const event of events) {
    if (event.type === "test:start") {
      path.length = event.data.nesting;
      path.push(event.data.name);
    }
    const line = toReport(event, path);
    if (line) yield `${JSON.stringify(line)}\n`;
  }
  yield `${JSON.stringify({ kind: "end" } satisfies Report)}\n`;
}

function toReport(event: TestEvent, path: readonly string[]): Report | undefined {
  if (event.type !== "test:pass" && event.type !== "test:fail") return undefined;
  const { name, nesting, details, skip, todo, file, line } = event.data;
  const isSuite = details.type === "suite";
  const title = [...path.slice(0, nesting), name].join(" › ");
  const excuse = skip ?? todo;
  if (excuse !== undefined && excuse !== false) {
    const reason = typeof excuse === "string" ? excuse : "no reason given";
    return isSuite ? undefined : { kind: "skip", title, reason };
  }
  if (event.type === "test:pass") return isSuite ? undefined : { kind: "pass", title };
  const { error } = event.data.details;
  if ("failureType" in error && error.failureType === "subtestsFailed") return undefined;
  const cause = error.cause ?? error;
  return { kind: "fail", title, place: `${file ?? ""}:${line ?? ""}`,
    error: typeof cause === "string" ? cause : inspect(cause, { depth: 4, maxStringLength: 4000 }) };
}
