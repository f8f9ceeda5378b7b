/**
 * Every limit of a block, with its unit and its reason (spec: block 10, and the waits named in 4 and 5).
 * `docs/limits.md` is printed from this table. `Infinity` = none.
 */
import { JSON_DEPTH_MAX } from "./json.ts";

export type LimitUnit = "bytes" | "ms" | "count" | "levels";

export interface Limit {
  readonly unit: LimitUnit;
  /** `atoll run` and `runBlock`. */
  readonly default: number;
  /** Restricted runs and members of a mob. */
  readonly restricted: number;
  readonly why: string;
  /** Fault code of a breach; null where nothing fails. */
  readonly over: string | null;
  /** What a breach looks like from the script or the host. */
  readonly effect: string;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;
const NONE = Infinity;

type Over = readonly [over: string | null, effect: string];

function limit(
  unit: LimitUnit, values: number | readonly [number, number], why: string, [over, effect]: Over,
): Limit {
  const [usual, restricted] = typeof values === "number" ? [values, values] : values;
  return { unit, default: usual, restricted, why, over, effect };
}

/** Groups of limits, in the order of the page. */
export const LIMIT_GROUPS = {
  "Isle: memory and time": {
    isleBytesMax: limit("bytes", [256 * MIB, 64 * MIB],
      "Memory of one isle, host buffers held for it included.",
      ["isle.memory", "`not enough memory`, which the script can catch; a script that ends by it fails"]),
    wallMsMax: limit("ms", NONE, "How long a run may last.", ["isle.timeout", "the isle is killed"]),
    cpuMsMax: limit("ms", NONE, "CPU time of a run, all its isles together.",
      ["isle.timeout", "the isle is killed"]),
    handlerMsMax: limit("ms", NONE,
      "One bus handler; what is left of the event's own deadline bounds it in any case.",
      ["bus.handler_failed", "the handler is cancelled, nack `handler timeout`"]),
    sliceMsMax: limit("ms", [NONE, 10_000], "CPU time without giving way, in a worker of its own.",
      ["isle.timeout", "the isle is killed"]),
    sliceSharedMsMax: limit("ms", 100, "The same where isles share a worker and cannot be suspended.",
      ["isle.timeout", "the isle is killed"]),
    giveWayMs: limit("ms", 5, "CPU time after which an isle in a shared worker lets the others run.",
      [null, "suspended at the next poll"]),
    syncWaitMsMax: limit("ms", 1_000,
      "A wait inside a C call in a shared worker: it holds up the other isles.",
      ["isle.would_block", "raises"]),
  },
  "Isle: ending": {
    softStopMs: limit("ms", 100, "What a catchable abort gets before the uncatchable one.",
      [null, "isle kill"]),
    taskAbortMsMax: limit("ms", 500, "What the abort of a running task may take, in CPU time of its isle.", [null, "isle kill"]),
    isleEndMsMax: limit("ms", 250, "Closing of the isles at the end of a run.", [null, "`unfinished`"]),
    handlerRestartsMax: limit("count", 3, "Restarts of a handler isle within `handlerRestartWindowMs`.",
      ["isle.crashed", "the run fails"]),
    handlerRestartWindowMs: limit("ms", 60_000, "Window in which restarts are counted.",
      [null, "older ones are forgotten"]),
  },
  "Output and reports": {
    printBytesMax: limit("bytes", [NONE, 10 * MIB], "What a run may print.",
      ["isle.output", "cut, one notice, event `limit`"]),
    printBytesPerSecondMax: limit("bytes", [NONE, MIB], "What it may print in a second.",
      ["isle.output", "cut, one notice, event `limit`"]),
    runEventsMax: limit("count", 256, "Events that wait for a slow reader of `events()`.",
      [null, "`lost` with their count"]),
    warningsMax: limit("count", 1_000, "Warnings kept for the result.", [null, "later ones are only logged"]),
  },
  "Bus and end of a run": {
    busEventsMax: limit("count", 64, "Events that wait for a handler.",
      ["bus.overloaded", "emit waits, then raises with a retry hint; both edges are reported"]),
    busBytesMax: limit("bytes", [256 * MIB, 64 * MIB],
      "Payloads of events that wait for a handler: what fits an isle fits the bus.",
      ["bus.overloaded", "as above; an event that alone is larger is refused at once"]),
    emitMsMax: limit("ms", 30_000, "How long an emit waits for room.", ["bus.overloaded", "raises"]),
    ackMsMax: limit("ms", 30_000, "How long an answer is waited for when the caller's budget is unknown.",
      ["bus.timeout", "nack `handler timeout`"]),
    graceMs: limit("ms", 1_000, "What a handler and the queue get after a stop.",
      [null, "the handler is cancelled, queued events are nacked `bus stopped`"]),
    hardStopMs: limit("ms", 500, "What a cancelled handler gets before its isle is killed.",
      [null, "isle kill"]),
    endMsMax: limit("ms", 5_000, "What the end of a run may take beside `graceMs`.", [null, "`unfinished`"]),
    lingerMs: limit("ms", [NONE, 5_000], "How long the end waits for tasks nobody joined.",
      ["task.cancelled", "cancelled, `unfinished`"]),
    lingerWarnMs: limit("ms", 30_000, "How often tasks that are waited for are named.", [null, "a warning"]),
  },
  "Queues and tasks of an isle": {
    isleQueueMax: limit("count", 256, "Requests of an isle to the host that are under way.",
      [null, "awaited calls wait, others `channel full (backpressure)`"]),
    mcpNotificationsMax: limit("count", 128, "Notifications of one MCP server that wait for their callback.",
      [null, "dropped, with a warning"]),
    liveTasksMax: limit("count", [10_000, 1_000], "Tasks that have not ended.",
      ["script.argument", "`spawn` raises"]),
  },
  "HTTP": {
    httpBodyBytesMax: limit("bytes", 10 * MIB,
      "One response body, counted while it is read, after decompression.",
      ["http.too_large", "raises"]),
    sseEventBytesMax: limit("bytes", MIB, "One server-sent event.", ["http.too_large", "raises"]),
    httpOpenMax: limit("count", [256, 32], "Requests that are open.", [null, "the next one waits"]),
    httpMs: limit("ms", 120_000, "One request without `timeout`.", ["http.timeout", "raises"]),
    httpRedirectsMax: limit("count", 10, "Redirects of one request.", ["http.request", "raises"]),
  },
  "Processes": {
    childOutputBytesMax: limit("bytes", [10 * MIB, MIB], "What is kept of one stream of a child.",
      [null, "truncated, and said so"]),
    childrenLiveMax: limit("count", [128, 16], "Children that run.", [null, "the next one waits"]),
    childMs: limit("ms", 30_000, "One `sh.exec` without `timeout`.",
      ["sh.timeout", "its process group is ended"]),
    childStopMs: limit("ms", 500, "From SIGTERM to SIGKILL.", [null, "SIGKILL to the process group"]),
  },
  "Mesh, MCP": {
    meshPayloadBytesMax: limit("bytes", 4 * MIB, "One payload, as JSON text.", ["mesh.rejected", "raises"]),
    meshSendMs: limit("ms", 10_000, "One `mesh.send` without `timeout_ms`.", ["mesh.timeout", "raises"]),
    meshRequestMs: limit("ms", 30_000,
      "One `mesh.request`; what is left of the event being handled, if that is less.",
      ["mesh.timeout", "raises"]),
    mcpMs: limit("ms", 30_000, "One round trip to an MCP server.", ["mcp.timeout", "error"]),
    mcpStderrBytesMax: limit("bytes", 64 * KIB, "What is kept of the stderr of an MCP server.",
      [null, "the oldest part goes"]),
    mcpStopMs: limit("ms", 2_000, "From the end of input to SIGTERM, and on to SIGKILL.",
      [null, "`unfinished`"]),
  },
  "Data and files": {
    walkDepthMax: limit("levels", 256, "Folders below each other in `std.fs.walk`.", ["fs.limit", "raises"]),
    walkEntriesMax: limit("count", 10_000, "Entries of one `std.fs.walk`.", ["fs.limit", "raises"]),
    sqlMs: limit("ms", 5_000, "One statement of `std.sql`, `std.kv`, `std.ts`.", ["sql.timeout", "raises"]),
    sqlBusyMs: limit("ms", 5_000, "How long a statement waits for a lock of another process.",
      ["sql.failed", "raises"]),
    sqlQueueMsMax: limit("ms", 30_000, "How long a statement waits for those before it.",
      ["sql.timeout", "raises"]),
  },
} as const satisfies Record<string, Record<string, Limit>>;

/** Limits that no host changes: scripts may depend on them and on their texts, or nothing would be gained. */
export const FIXED_LIMITS = {
  jsonDepthMax: limit("levels", JSON_DEPTH_MAX, "Nesting of JSON; also of values that move with a handler.",
    ["json.depth", "`JSON nesting too deep (limit: 128)`"]),
  sleepMsMax: limit("ms", 86_400_000, "One `std.time.sleep`; a longer one is a mistake in units.",
    ["script.argument", "raises"]),
  storeSliceRowsMax: limit("count", 1_000, "Rows between two looks at the deadline in `std.kv` and `std.ts`.",
    [null, "the next slice"]),
} as const satisfies Record<string, Limit>;
