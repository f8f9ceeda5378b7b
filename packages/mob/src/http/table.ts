/** The one method table, and the routes that follow from it (spec: mob 11.1, 11.3). */
import { nearest } from "@atoll-run/core";
import { accessMethods } from "./access-methods.ts";
import { APPROVAL_METHODS } from "./approval-methods.ts";
import { BLOB_METHODS } from "./blob-methods.ts";
import { EDGE_METHODS } from "./edge-methods.ts";
import { FLOW_METHODS } from "./flow-methods.ts";
import { KEPT_METHODS } from "./kept-methods.ts";
import { LEDGER_METHODS } from "./ledger-methods.ts";
import { LETTER_METHODS } from "./letter-methods.ts";
import { MEMBER_METHODS } from "./member-methods.ts";
import type { Method } from "./method.ts";
import { MOB_METHODS } from "./mob-methods.ts";
import { SESSION_METHODS } from "./session-methods.ts";
import { TURN_METHODS } from "./turn-methods.ts";

export const METHODS: readonly Method[] = [
  ...MOB_METHODS, ...MEMBER_METHODS, ...TURN_METHODS, ...EDGE_METHODS, ...APPROVAL_METHODS, ...FLOW_METHODS, ...LEDGER_METHODS,
  ...SESSION_METHODS, ...LETTER_METHODS, ...KEPT_METHODS, ...BLOB_METHODS, ...accessMethods(() => METHODS),
];

export const BY_NAME: ReadonlyMap<string, Method> = new Map(METHODS.map((one) => [one.name, one]));

export interface Route {
  readonly verb: "GET" | "POST" | "PUT" | "DELETE";
  /** Under `/v1`; `{name}` stands for a param, `{name.inner}` for what stands in one. */
  readonly path: string;
}

export function routeOf({ name, writes, keys, rest }: Method): Route {
  if (rest !== undefined) return rest;
  const [group = "", word] = name.split("/");
  const at = `/${group}${keys.map((key) => `/{${key}}`).join("")}`;
  if (word === undefined) return { verb: writes ? "POST" : "GET", path: at };
  if (word === "list" || word === "get") return { verb: "GET", path: at };
  if (word === "delete") return { verb: "DELETE", path: at };
  if (writes && ["spawn", "add", "send", "put"].includes(word) && keys.length === 0) return { verb: "POST", path: at };
  return { verb: writes ? "POST" : "GET", path: `${at}/${word}` };
}

interface Found {
  readonly method: Method;
  readonly keys: Readonly<Record<string, string>>;
}

const ROUTES = METHODS.map((one) => ({ one, ...routeOf(one), steps: routeOf(one).path.split("/").slice(1) }))
  // A word goes before a name: `/members/spawn_many` is no member.
  .sort((x, y) => x.steps.filter(isKey).length - y.steps.filter(isKey).length);

/** `path` without `/v1`. Undefined: there is none. */
export function findRoute(verb: string, path: string): Found | undefined {
  const given = path.split("/").slice(1);
  for (const { one, verb: own, steps } of ROUTES) {
    if (own !== verb || steps.length !== given.length) continue;
    const keys: Record<string, string> = {};
    const fits = steps.every((step, at) => {
      const word = given[at] as string;
      if (!isKey(step)) return step === word;
      const text = decode(word);
      if (text === undefined) return false;
      keys[step.slice(1, -1)] = text;
      return true;
    });
    if (fits) return { method: one, keys };
  }
  return undefined;
}

/** What was perhaps meant: the same path with another verb, or nearly the same one. */
export function nearestRoute(verb: string, path: string): string | undefined {
  const other = (["GET", "POST", "PUT", "DELETE"] as const).find((one) => one !== verb && findRoute(one, path.replace(/^\/v1/, "")) !== undefined);
  if (other !== undefined) return `${other} ${path}`;
  const near = nearest(path, new Set(METHODS.map(routeOf).filter((one) => one.verb === verb).map((one) => `/v1${one.path}`)));
  return near === undefined ? undefined : `${verb} ${near}`;
}

function isKey(step: string): boolean {
  return step.startsWith("{");
}

function decode(word: string): string | undefined {
  try {
    return word === "" ? undefined : decodeURIComponent(word);
  } catch {
    return undefined;
  }
}
