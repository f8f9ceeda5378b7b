/** A tracer that keeps what it was told. */
import type { SpanFacts, Tracer } from "../../src/observe/tracer.ts";

export interface ToldSpan {
  readonly name: string;
  readonly facts: SpanFacts;
  /** Outcome and code; undefined: it is open. */
  ended?: string;
}

export function tracerOf(): { readonly tracer: Tracer; readonly spans: readonly ToldSpan[] } {
  const spans: ToldSpan[] = [];
  return { spans, tracer: { begin: (name, { facts }) => {
    const span: ToldSpan = { name, facts };
    spans.push(span);
    return {
      traceparent: undefined, run: (work) => work(),
      end: (outcome, code) => void (span.ended ??= code === undefined ? outcome : `${outcome} ${code}`),
    };
  } } };
}
