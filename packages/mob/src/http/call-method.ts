/** One call of a method, from whichever door: rights, params, the work, and what became of it (spec: mob 11.1, 11.12). */
import { isFault, nearest, type Fault } from "@atoll-run/core";
import { z } from "zod";
import { MOB_CODES, mobError, type MobCode, type MobError } from "../errors.ts";
import { codeOf, type MobTracer } from "../observe/tracer.ts";
import { deniedError, mayWrite, noMember, noThing, readOnlyError, type Principal } from "./access.ts";
import { inTime } from "./in-time.ts";
import type { Call, Method, Served } from "./method.ts";
import { sightOf } from "./sight.ts";
import { BY_NAME } from "./table.ts";

export interface Doors {
  readonly served: Served;
  readonly readOnly: boolean;
  /** For faults that are nobody's: gives the id under which it is in the log. */
  readonly report: (error: unknown) => string;
}

export interface Calling {
  readonly who: Principal;
  readonly signal: AbortSignal;
  /** Of this call, milliseconds. */
  readonly deadlineMs?: number | undefined;
  /** W3C, of whoever asks. */
  readonly traceparent?: string | undefined;
}

type CallDoors = Pick<Doors, "served" | "readOnly">;
type MethodCall = Calling & { readonly params: unknown };

/** To look for who was meant costs as much as there are members. */
const GUESSED_MAX = 1_000;

/** Throws a `Fault`. */
export function callMethod(doors: CallDoors, method: Method, calling: MethodCall): Promise<unknown> {
  const { tracer } = doors.served;
  return tracer === undefined ? make(doors, method, calling) : makeWithin(tracer, { doors, method, calling });
}

async function makeWithin(tracer: MobTracer, { doors, method, calling }: { readonly doors: CallDoors; readonly method: Method; readonly calling: MethodCall }): Promise<unknown> {
  const span = tracer.begin("request", { facts: { method: method.name }, around: calling.traceparent ?? "", serves: true });
  try {
    const result = await span.run(() => make(doors, method, { ...calling, traceparent: span.traceparent ?? calling.traceparent }));
    span.end("done");
    return result;
  } catch (error) {
    span.end("failed", codeOf(error));
    throw error;
  }
}

async function make({ served, readOnly }: CallDoors, method: Method, { params, who, signal, deadlineMs, traceparent }: MethodCall): Promise<unknown> {
  const { rights } = served;
  const right = rights.of(who, method.action);
  if (!right.any) throw await denied(served, { method, who });
  if (method.writes && !mayWrite(who, readOnly)) throw readOnlyError(who, readOnly);
  const read = method.params.safeParse(params ?? {});
  if (!read.success) throw invalidParams({ schema: method.params, issues: read.error.issues, given: params, method: method.name });
  if (!right.all || !rights.of(who, "member.view").all) await checkMembers(served, { method, who, params: read.data });
  const { expected_revision: expected, ...data } = read.data as { readonly expected_revision?: number };
  const call: Omit<Call, "signal"> = {
    principal: who.id, local: who.local, role: who.role, groups: who.groups, read_only: !mayWrite(who, readOnly),
    may: ({ action, writes }) => rights.of(who, action).any && (!writes || mayWrite(who, readOnly)),
    allows: (action, member) => {
      const own = rights.of(who, action);
      return member === undefined ? own.mob : own.all || own.on(member);
    },
    sight: () => sightOf(rights, who), traceparent,
  };
  const run = async (until: AbortSignal): Promise<unknown> => {
    const act = async (given: object): Promise<unknown> => await method.run(served, given as never, { ...call, signal: until });
    if (method.changes !== true) return await act(read.data);
    return await (expected === undefined ? act(data) : served.reconciler.alone(expected, () => act(data)));
  };
  try {
    return deadlineMs === undefined ? await run(signal) : await inTime(run, { clock: served.clock, ms: deadlineMs, signal, writes: method.writes });
  } catch (error) {
    throw isFault(error) && error.code === "mob.not_found" ? perhapsMeant(served, { error, who }) : error;
  }
}

/** With the member that was perhaps meant, of those whoever asks may see. */
function perhapsMeant({ view, rights }: Served, { error, who }: { readonly error: Fault; readonly who: Principal }): Fault {
  const { what = "member", id, member = id } = error.facts as { readonly what?: string; readonly id?: unknown; readonly member?: unknown };
  if (what !== "member" || typeof member !== "string" || error.hint !== undefined || view.members.size > GUESSED_MAX) return error;
  const sees = rights.of(who, "member.view");
  const near = nearest(member, view.ids().filter((one) => sees.on(one)));
  return near === undefined ? error : mobError("mob.not_found", error.message, { facts: { ...error.facts }, hint: `Did you mean ${JSON.stringify(near)}?`, cause: error });
}

/** Throws `mob.denied`, and `mob.not_found` for what whoever asks does not see. */
async function checkMembers(served: Served, { method, who, params }: { readonly method: Method; readonly who: Principal; readonly params: unknown }): Promise<void> {
  const { rights } = served;
  const right = rights.of(who, method.action);
  const about = await method.about?.(params as never, served);
  if (about === undefined && (method.filters === true || right.mob)) return;
  if (about === undefined) throw await denied(served, { method, who });
  const sees = rights.of(who, "member.view");
  for (const one of about) {
    const thing = typeof one === "object" && "what" in one ? one : undefined;
    const subject = typeof one === "object" && "what" in one ? one.member : one;
    if (subject === undefined ? right.mob : right.on(subject) && !sees.denies(subject)) continue;
    const fault = await denied(served, { method, who, member: typeof subject === "object" ? subject.id : subject });
    if (subject === undefined || typeof subject === "string" && !sees.on(subject)) {
      throw thing === undefined ? perhapsMeant(served, { error: noMember(subject as string), who }) : noThing(thing);
    }
    throw fault;
  }
}

/** Throws `mob.method_unknown`. */
export function findMethod(name: string): Method {
  const found = BY_NAME.get(name);
  if (found !== undefined) return found;
  const near = nearest(name, BY_NAME.keys());
  throw mobError("mob.method_unknown", `there is no method mob/${name}`, near === undefined ? {} : { hint: `Did you mean mob/${near}?` });
}

export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a caller reads, and the status of HTTP. Text of faults that are nobody's stays in the log. */
export function toError(error: unknown, report: Doors["report"]): { readonly status: number; readonly body: ErrorBody } {
  const fault = isFault(error) ? error : mobError("mob.internal", "something is wrong inside; it is in the log", { facts: { error_id: report(error) } });
  const { rpc, http } = MOB_CODES[fault.code as MobCode] ?? classOf(fault);
  const { code, facts, retry, hint, message, uncertain, retry_after_ms } = fault as Fault & { readonly hint?: string };
  return { status: http, body: { code: rpc, message, data: {
    code, facts, retry, ...uncertain === undefined ? {} : { uncertain }, ...retry_after_ms === undefined ? {} : { retry_after_ms }, ...hint === undefined ? {} : { hint },
  } } };
}

/** Codes of lower tiers pass unchanged. */
function classOf({ code }: Fault): { readonly rpc: number; readonly http: number } {
  return code.endsWith("timed_out") ? MOB_CODES["mob.deadline"] : MOB_CODES["mob.tool_failed"];
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

interface Wrong {
  readonly schema: z.ZodObject;
  /** As the schema library gives them. */
  readonly issues: readonly Issue[];
  readonly given: unknown;
  readonly method?: string;
}

/** One thing that is wrong is told: a key that is not known, and which was perhaps meant, or else the first. */
export function invalidParams({ schema, issues, given, method }: Wrong): MobError {
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  const [unknown] = issue?.code === "unrecognized_keys" ? issue.keys ?? [] : [];
  const path = [...issue?.path ?? [], ...unknown === undefined ? [] : [unknown]].map(String).join(".");
  const near = unknown === undefined ? undefined : nearest(unknown, keysAt(schema, issue?.path ?? []));
  const text = unknown !== undefined ? "there is no such key" : !isThere(given, issue?.path ?? []) ? "must be given" : issue?.message ?? "wrong";
  return mobError("mob.invalid_params", `${path === "" ? "params" : path}: ${text}`, {
    facts: { path, ...method === undefined ? {} : { method } }, ...near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` },
  });
}

function isThere(given: unknown, path: readonly PropertyKey[]): boolean {
  return path.reduce((at: unknown, step) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined), given) !== undefined;
}

/** Keys that are known there. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema;
  for (const step of path) {
    while (at instanceof z.ZodOptional || at instanceof z.ZodDefault || at instanceof z.ZodNullable) at = at.unwrap();
    at = at instanceof z.ZodObject ? at.shape[String(step)] : at instanceof z.ZodArray ? at.element : undefined;
  }
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault || at instanceof z.ZodNullable) at = at.unwrap();
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** Whoever it was stands in the ledger before he hears of it. Throws `mob.storage_degraded` when it cannot be written. */
async function denied({ ledger, writer }: Served, { method: { action, name }, who, member }: { readonly method: Method; readonly who: Principal; readonly member?: string | undefined }): Promise<MobError> {
  await ledger.append(writer, [{ kind: "access_denied", source: "api", principal: who.id, ...member === undefined ? {} : { member }, data: { action, method: name } }]);
  return deniedError(who, action ?? "", member);
}

