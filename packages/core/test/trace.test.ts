import assert from "node:assert/strict";
import { test } from "node:test";
import { childTrace, emptyTrace, formatTraceparent, newSpanId, parseTraceparent,
  traceHeaders } from "@atoll-run/core";
import { seededIds } from "@atoll-run/testkit";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID = "00f067aa0ba902b7";

test("a traceparent is read, of later versions too", () => {
  assert.deepEqual(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-01`),
    { trace_id: TRACE_ID, span_id: SPAN_ID, sampled: true });
  assert.deepEqual(parseTraceparent(` 00-${TRACE_ID}-${SPAN_ID}-02 `)?.sampled, false);
  assert.deepEqual(parseTraceparent(`cc-${TRACE_ID}-${SPAN_ID}-09-more`)?.sampled, true);
});

const WRONG = [
  "", "00", `00-${TRACE_ID}-${SPAN_ID}`, `ff-${TRACE_ID}-${SPAN_ID}-01`, `00-${TRACE_ID}-${SPAN_ID}-01-more`,
    `00-${"0".repeat(32)}-${SPAN_ID}-01`,
  `00-${TRACE_ID}-${"0".repeat(16)}-01`, `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
    `0-${TRACE_ID}-${SPAN_ID}-01`, `01-${TRACE_ID}-${SPAN_ID}-01x`,
];
for (const text of WRONG) test(`'${text}' is no traceparent`,
  () => assert.equal(parseTraceparent(text), undefined));

test("a traceparent is written from hex digits or a UUID, and not from other texts", () => {
  const uuid = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
  assert.equal(formatTraceparent({ trace_id: uuid, span_id: SPAN_ID }), `00-${TRACE_ID}-${SPAN_ID}-01`);
  assert.equal(formatTraceparent({ trace_id: TRACE_ID, span_id: SPAN_ID }, false),
    `00-${TRACE_ID}-${SPAN_ID}-00`);
  assert.equal(formatTraceparent({ trace_id: "job 7", span_id: SPAN_ID }), undefined);
  assert.equal(formatTraceparent({ trace_id: TRACE_ID }), undefined);
});

test("headers carry what is known of a trace, in characters that headers may have", () => {
  assert.deepEqual(traceHeaders(emptyTrace()), {});
  const trace = childTrace({ trace_id: TRACE_ID, run_id: "r 1", agent_id: "",
    agent_name: "Zoë\r\nX-Evil: 1 " }, seededIds(1));
  assert.deepEqual(traceHeaders(trace), {
    "x-trace-id": TRACE_ID, "x-run-id": "r 1", "x-agent-name": "Zo%C3%AB%0D%0AX-Evil: 1%20",
      traceparent: `00-${TRACE_ID}-${trace.span_id}-01`,
  });
});

test("a span id is 16 hex digits, never all zero", () => {
  const ids = seededIds(3);
  for (let i = 0; i < 100; i++) assert.match(newSpanId(ids), /^[89ab][0-9a-f]{15}$/);
});
