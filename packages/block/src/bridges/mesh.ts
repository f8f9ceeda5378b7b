/** Host half of `mesh`: asking peers. What peers ask arrives as events of kind `mesh`. */
import { type CallOpts, isFault, type Json, LuaFloat, type Mesh, parseJson, parseTraceparent, stringifyJson, type TraceContext } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { type CallTrace, knownTraceparent } from "../observe/spans.ts";
import { JsonText, type OpCall, type Ops, type Value } from "./op.ts";

export interface MeshParts {
  readonly mesh: Mesh | undefined;
  readonly gate: Pick<GrantGate, "mesh">;
}

export interface MeshLimits {
  readonly meshPayloadBytesMax: number;
  readonly meshSendMs: number;
  readonly meshRequestMs: number;
}

export function meshOps(parts: MeshParts, limits: MeshLimits): Ops {
  const ask = async (fn: "send" | "request", args: readonly Value[], call: OpCall): Promise<string> => {
    const [to, payload, opts] = args;
    const { mesh } = parts;
    if (mesh === undefined) throw blockError("mesh.not_connected", `mesh.${fn}: mesh not connected (no --relay specified)`);
    parts.gate.mesh(String(to));
    const text = payload === undefined ? "null" : String(payload);
    if (Buffer.byteLength(text) > limits.meshPayloadBytesMax) {
      throw blockError("mesh.rejected", `mesh error: payload over ${limits.meshPayloadBytesMax} bytes`, { facts: { limit: limits.meshPayloadBytesMax } });
    }
    const given = (opts as Record<string, Value> | undefined)?.["timeout_ms"];
    const fallback = fn === "send" ? limits.meshSendMs : limits.meshRequestMs;
    const deadlineMs = Math.min(typeof given === "number" ? given : fallback, call.deadlineMs ?? Infinity);
    const event = fn === "send" ? "mesh_send" : "mesh_request";
    call.log("info", "lua", event, { prefix: "ab.obs", event, component: "mesh", target: String(to) });
    const traceparent = knownTraceparent(call.trace);
    const reply = await (call.origin?.()?.request ?? mesh.request)(String(to), withTrace(parse(text), call.trace), {
      deadlineMs, signal: call.signal, ...(traceparent === undefined ? {} : { traceparent }),
    });
    const written = stringifyJson(reply);
    if (!written.ok) throw blockError("mesh.rejected", `mesh error: ${written.problem}`);
    return written.text;
  };
  return {
    "mesh.send": async (args, call) => {
      await ask("send", args, call);
      return undefined;
    },
    "mesh.request": async (args, call) => new JsonText(await ask("request", args, call)),
  };
}

function parse(text: string): Json {
  const parsed = parseJson(text, { floats: true });
  if (!parsed.ok) throw blockError("json.decode", `mesh error: ${parsed.problem}`);
  return parsed.value;
}

/** Objects and nil carry who asks, as `__ab_obs`. */
function withTrace(payload: Json, trace: TraceContext): Json {
  const { trace_id, run_id, agent_id, agent_name } = trace;
  const obs = { trace_id, run_id, agent_id, agent_name };
  if (payload === null) return { __ab_obs: obs };
  if (typeof payload !== "object" || Array.isArray(payload) || (payload as object) instanceof LuaFloat) return payload;
  return { ...payload, __ab_obs: obs };
}

/** A failure as a value: whoever asked by mesh gets it as the answer. */
export function failureReply(error: unknown): Json {
  return { error: replyText(error) };
}

export interface MeshServing {
  ask(e: { kind: string; payload: string; meta: string; trace?: CallTrace }, o: CallOpts): Promise<string>;
  log(msg: string): void;
  /** Milliseconds for an answer when the caller's budget is unknown. */
  readonly ackMsMax: number;
}

/** What peers ask becomes events of kind `mesh`; a failure is a reply `{"error": …}`, never a broken call. */
export function serveMesh(mesh: Mesh, to: MeshServing): Disposable {
  return mesh.serve(async (from, payload, given) => {
    const o = { ...given, deadlineMs: Number.isFinite(given.deadlineMs) ? given.deadlineMs : to.ackMsMax };
    const text = stringifyJson(payload);
    const meta = stringifyJson({ from, deadline_ms: Math.round(o.deadlineMs) });
    if (!text.ok || !meta.ok) return { error: "payload is not JSON" };
    const trace = incomingTrace(payload, given.traceparent);
    try {
      return parse(await to.ask({ kind: "mesh", payload: text.text, meta: meta.text, ...(trace === undefined ? {} : { trace }) }, o));
    } catch (error) {
      to.log(`request of ${from} failed: ${error instanceof Error ? error.message : String(error)}`);
      return failureReply(error);
    }
  });
}

function replyText(error: unknown): string {
  if (!isFault(error)) return error instanceof Error ? error.message : String(error);
  if (error.code === "bus.closed") return "bus channel closed";
  if (error.code === "isle.crashed") return "ack dropped";
  return error.code === "bus.timeout" ? "handler timeout" : error.message;
}

/** Who asks, when the payload says it. */
export function incomingTrace(payload: Json, traceparent?: string): CallTrace | undefined {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined;
  const obs = (payload as Record<string, Json>)["__ab_obs"];
  if (typeof obs !== "object" || obs === null) return undefined;
  const given = obs as Record<string, Json>;
  const text = (key: string): string => (typeof given[key] === "string" ? given[key] : "");
  const span = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  return {
    trace_id: text("trace_id"), run_id: text("run_id"), agent_id: text("agent_id"), agent_name: text("agent_name"),
    ...(span === undefined ? {} : { span }),
  };
}
