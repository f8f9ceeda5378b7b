/** JSON-RPC 2.0 over the method table (spec: mob 11.2). Pure but for the calls. */
import { mobError } from "../errors.ts";
import { MOB_LIMITS } from "../limits.ts";
import { DEADLINE, hasOwnDeadline, readDeadline } from "./in-time.ts";
import { callMethod, findMethod, toError, type Calling, type Doors } from "./call-method.ts";

type Id = string | number | null;

interface Answer {
  readonly jsonrpc: "2.0";
  readonly id: Id;
}

/** Undefined: there is nothing to answer, all of it was notifications. */
export async function answerRpc(text: string, doors: Doors, calling: Calling): Promise<unknown> {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return failed(null, mobError("mob.parse", "the body is not JSON"), doors);
  }
  if (!Array.isArray(given)) return one(given, doors, calling);
  if (given.length === 0 || given.length > MOB_LIMITS.batchMax) {
    return failed(null, mobError("mob.invalid_request", `a batch has 1 to ${MOB_LIMITS.batchMax} requests`), doors);
  }
  const answers = await Promise.all(given.map((request) => one(request, doors, calling)));
  const said = answers.filter((answer) => answer !== undefined);
  return said.length === 0 ? undefined : said;
}

async function one(request: unknown, doors: Doors, calling: Calling): Promise<Answer | undefined> {
  if (!isRequest(request)) return failed(null, mobError("mob.invalid_request", "this is no request of JSON-RPC 2.0"), doors);
  const { id, method, params } = request;
  const silent = id === undefined;
  try {
    if (!method.startsWith("mob/")) findMethod(method);
    const found = findMethod(method.replace(/^mob\//, ""));
    const { [DEADLINE]: deadline, ...rest } = params ?? {};
    const own = hasOwnDeadline(found);
    const result = await callMethod(doors, found, { ...calling, params: own ? params : rest, deadlineMs: own ? undefined : readDeadline(deadline) });
    return silent ? undefined : { jsonrpc: "2.0", id, result: result ?? null } as Answer;
  } catch (error) {
    return silent ? undefined : failed(id, error, doors);
  }
}

function failed(id: Id, error: unknown, { report }: Doors): Answer {
  return { jsonrpc: "2.0", id, error: toError(error, report).body } as Answer;
}

function isRequest(given: unknown): given is { readonly id?: Id; readonly method: string; readonly params?: Readonly<Record<string, unknown>> } {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return false;
  const { jsonrpc, id, method, params } = given as Record<string, unknown>;
  return jsonrpc === "2.0" && typeof method === "string" && (params === undefined || typeof params === "object" && params !== null && !Array.isArray(params))
    && (id === undefined || id === null || typeof id === "string" || typeof id === "number");
}
