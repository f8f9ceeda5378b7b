/** Spans of what is no message: hooks, and streams that are read (spec: node 11.1, 11.2). */
import { codeOf } from "./ask-spans.ts";
import type { SpanFacts, Tracer } from "./tracer.ts";

export interface SideSpan extends Omit<SpanFacts, "node"> {
  readonly name: "hook" | "stream";
}

export interface SideSpansParts {
  readonly tracer: Tracer;
  readonly self: () => string;
}

interface Scope {
  readonly span: SideSpan;
  readonly traceparent?: string;
}

/** What it asks is a part of its span. Nothing is told of what does not run. */
export function withSpan<S extends Scope, T>(
  { tracer, self }: SideSpansParts, scope: S, run: (traced: S) => Promise<T> | undefined,
): Promise<T> | undefined {
  const { span: { name, ...facts }, traceparent: parent } = scope;
  const span = tracer.begin(name, { facts: { node: self(), ...facts }, parent });
  const { traceparent = parent } = span;
  const running = span.run(() => run(traceparent === undefined ? scope : { ...scope, traceparent }));
  if (running === undefined) return undefined;
  return running.then((value) => {
    span.end("done");
    return value;
  }, (error: unknown) => {
    span.end("failed", codeOf(error));
    throw error;
  });
}
