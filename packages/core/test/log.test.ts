import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyTrace, formatJson, formatPretty, LOG_LEVELS, obsLine, parseLogFilter, Redactor, toPlain,
  type LogEvent, type LogLevel } from "@atoll-run/core";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const TRACE = { trace_id: "t1", span_id: "s1", run_id: "r1", agent_id: "", agent_name: "Ada L" };
const event: LogEvent = {
  level: "info", target: "lua", msg: "hello", script: "x.lua", isle: "handler", task: "t2", trace: TRACE,
  fields: { n: 7, text: "a b", list: [1, { k: "v w" }], big: 2n ** 63n - 1n, none: null },
};

test("an `ab.obs` event is shown once: its fields are in its text", () => {
  const event = { level: "info", target: "lua", msg: "prefix=ab.obs event=x k=v", script: "a.lua", fields: { prefix: "ab.obs", event: "x", k: "v" } } as const;
  assert.equal(formatPretty(event, 0), "1970-01-01T00:00:00.000Z  INFO lua: prefix=ab.obs event=x k=v script=a.lua");
});

test("the pretty form has time, level, target and text, then the fields", () => {
  assert.equal(formatPretty(event, AT),
    "2026-01-02T03:04:05.678Z  INFO lua: hello script=x.lua isle=handler task=t2 n=7 text=\"a b\" "
    + "list=[1,{\"k\":\"v w\"}] big=9223372036854775807 none=null");
  assert.equal(formatPretty({ level: "error", target: "bus", msg: "no" }, AT),
    "2026-01-02T03:04:05.678Z ERROR bus: no");
});

test("the JSON form has the keys of the specification in their order, on one line", () => {
  assert.equal(formatJson({ ...event, msg: "two\nlines" }, AT),
    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"target\":\"lua\",\"msg\":\"two\\nlines\","
    + "\"script\":\"x.lua\",\"isle\":\"handler\",\"task\":\"t2\","
    + "\"trace_id\":\"t1\",\"span_id\":\"s1\",\"run_id\":\"r1\",\"agent_name\":\"Ada L\","
    + "\"fields\":{\"big\":9223372036854775807,\"list\":[1,{\"k\":\"v w\"}],\"n\":7,\"none\":null,\"text\":\"a b\"}}");
  assert.equal(formatJson({ level: "warn", target: "bus", msg: "", trace: emptyTrace() }, AT),
    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"target\":\"bus\"}");
});

test("a text with line ends or control characters cannot pose as another event", () => {
  const forged = formatPretty({ level: "info", target: "lua",
    msg: "a\r\n2026 ERROR bus: b\n\nc\u001b[31m\u009b\u2028d\t.\n" }, AT);
  assert.equal(forged,
    "2026-01-02T03:04:05.678Z  INFO lua: a\n    2026 ERROR bus: b\n\n    c\\x1b[31m\\x9b\\u2028d\t.");
});

test("known secrets are masked in both forms", () => {
  const redactor = new Redactor();
  redactor.add("s3cret");
  const telling: LogEvent = { level: "info", target: "http", msg: "key s3cret",
    fields: { header: "Bearer s3cret" } };
  for (const text of [formatPretty(telling, AT, redactor), formatJson(telling, AT, redactor)]) {
    assert.ok(!text.includes("s3cret"));
    assert.equal(text.split("[REDACTED]").length, 3);
  }
});

test("an ab.obs line has its fields in order, quotes what needs it and masks secrets", () => {
  const line = obsLine("http_request", "http", TRACE, {
    method: "GET", url: "https://u:p@host/a?key=1", status: 200, note: "a=b", "x-api-key": "hush",
      list: [1, 2], empty: "", gone: undefined, ok: true,
  });
  assert.equal(line,
    "prefix=ab.obs event=http_request component=http trace_id=t1 run_id=r1 agent_id=\"\" "
    + "agent_name=\"Ada L\" method=GET url=https://host/a "
    + "status=200 note=\"a=b\" x-api-key=[REDACTED] list=[1,2] empty=\"\" ok=true");
  assert.equal(obsLine("tool_call", "tool", emptyTrace()),
    "prefix=ab.obs event=tool_call component=tool trace_id=\"\" run_id=\"\" agent_id=\"\" agent_name=\"\"");
});

test("an ab.obs line stays one line", () => {
  assert.equal(obsLine("e", "c", emptyTrace(), { v: "a\nb", w: "\"q" }).split("agent_name=\"\" ")[1],
    "v=\"a\\nb\" w=\"\\\"q\"");
});

const FILTERS: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ["", "info", { bus: "info", lua: "info" }],
  ["warn", "warn", { bus: "warn" }],
  ["OFF", "off", { bus: "off" }],
  ["warning", "warn", { bus: "warn" }],
  ["bus=debug", "debug", { bus: "debug", lua: "off" }],
  ["info,bus=trace, lua = off ", "trace", { bus: "trace", lua: "off", http: "info" }],
  ["error,mcp", "trace", { mcp: "trace", http: "error" }],
  ["agent_block_mcp=debug,warn", "debug", { mcp: "debug", http: "warn" }],
  ["mcp=info,mcp.stdio=debug", "debug", { "mcp.stdio": "debug", "mcp::http": "info", mcpx: "off" }],
  ["3", "info", { bus: "info" }],
  ["info,debug", "debug", { bus: "debug" }],
  ["hyper::client=off,warn", "warn", { http: "warn" }],
];

for (const [text, verbosest, targets] of FILTERS) {
  test(`the filter '${text}' lets through ${JSON.stringify(targets)}`, () => {
    const read = parseLogFilter(text);
    assert.ok(read.ok);
    assert.equal(read.filter.verbosest, verbosest);
    for (const [target, lowest] of Object.entries(targets)) {
      const through: readonly LogLevel[] = LOG_LEVELS.filter((level) => read.filter.enabled(level, target));
      assert.equal(through[0] ?? "off", lowest, target);
      assert.deepEqual(through, LOG_LEVELS.slice(LOG_LEVELS.length - through.length));
    }
  });
}

test("a filter that cannot be read names all its problems", () => {
  assert.deepEqual(parseLogFilter("bus=loud,in fo,a=b=c,warn"), {
    ok: false,
    problems: [
      "'loud' is not one of off, error, warn, info, debug, trace",
        "'in fo' is neither a level nor target=level",
      "'a=b=c' is neither a level nor target=level",
    ],
  });
});

test("anything can be a field, and nothing grows without end", () => {
  const cycle: Record<string, unknown> = { a: 1 };
  cycle.me = cycle;
  const odd = {
    error: Object.assign(new Error("no"), { code: "a.b" }), bytes: new Uint8Array(3),
      map: new Map([[1, "x"]]), set: new Set(["y"]), when: new Date(0),
    nan: Number.NaN, gone: undefined, symbol: Symbol("s"),
    get throws(): never {
      throw new Error("getter");
    },
  };
  const { throws: _, ...most } = Object.getOwnPropertyDescriptors(odd);
  assert.deepEqual(toPlain(Object.defineProperties({}, most)), {
    error: { code: "a.b", message: "no" }, bytes: "(3 bytes)", map: { 1: "x" }, set: ["y"],
      when: "1970-01-01T00:00:00.000Z",
    nan: "NaN", gone: null, symbol: "Symbol(s)",
  });
  assert.equal(toPlain(odd), "(unreadable)");
  assert.match(JSON.stringify(toPlain(cycle)), /"…"/);
  assert.ok(JSON.stringify(toPlain(Array.from({ length: 1e5 }, (_, i) => [i]))).length < 20_000);
});
