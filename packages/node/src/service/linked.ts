/**
 * Functions as a node's workload (spec: node 9.1).
 *
 * takes messages and the handlers of a service; gives one outcome for each; promises that input was checked before a
 * handler sees it and output before it leaves; refuses what cannot be read; never lets a handler's failure out of its
 * message.
 */
import {
  isFault, nodeError, type DispatchContext, type Fault, type HookEvent, type InStream, type Outcome, type RouteInfo,
  type Workload, type WorkloadHost, type WorkloadMessage,
} from "@atoll-run/core";
import { aboutHook, aboutMessage, aboutStream } from "./about.ts";
import { createContext, type Ctx } from "./context.ts";
import { findHook, type Hooks } from "./hooks.ts";
import { hearing, hearLoose } from "./loose.ts";
import { isPromise, toOutcome } from "./outcomes.ts";
import type { Route, StreamRoute } from "./route.ts";
import { readItems, type ItemReader } from "./items.ts";
import type { Checked } from "./standard-schema.ts";
import { textOf } from "./talk.ts";

export interface ImplementOptions {
  /** The 16 hooks of the node, one at a time and in order. */
  readonly hooks?: Partial<Hooks>;
  /** Messages it takes at once; default 64. */
  readonly concurrency?: number;
}

export interface BoundRoute extends Route {
  readonly handle: (input: unknown, ctx: Ctx) => unknown;
}

export interface BoundStream extends StreamRoute {
  readonly handle: (items: ItemReader<unknown>, ctx: Ctx) => void | Promise<void>;
}

export interface Bound {
  readonly routes: readonly BoundRoute[];
  readonly streams: readonly BoundStream[];
}

const CONCURRENCY = 64;

export function toLinked({ routes, streams }: Bound, o: ImplementOptions): Workload & { readonly kind: "linked" } {
  const byKey = new Map(routes.map((route) => [route.key, { route, info: toInfo(route) }]));
  const byName = new Map(streams.map((stream) => [stream.name, stream]));
  const { hooks = {}, concurrency = CONCURRENCY } = o;
  let host: WorkloadHost | undefined;
  let loose: Disposable | undefined;
  const late = (error: unknown, context: string): void => host?.failed(toFault(error), context);
  return {
    kind: "linked", concurrency,
    route: (key, kind) => {
      const found = byKey.get(key);
      return found === undefined || found.route.tell && kind === "call" ? undefined : found.info;
    },
    start: async (given) => {
      if (loose !== undefined) {
        throw nodeError("node.wrong_state", "this service runs in another node already: implement it once for each");
      }
      host = given;
      loose = hearLoose();
    },
    dispatch: (message, context) => {
      const found = byKey.get(message.route);
      if (found === undefined) return Promise.resolve(failed("node.unknown_route", `no route ${message.route}`));
      const ctx = createContext(aboutMessage(message, host?.log), context);
      return dispatch(found.route, message, { ctx, late });
    },
    stream: (stream, context) => {
      const found = byName.get(stream.name);
      return found === undefined ? undefined : read(found, stream, createContext(aboutStream(stream, host?.log), context));
    },
    // Who has none is asked for none: connections come and go by the thousand.
    ...Object.keys(hooks).length === 0 ? {} : { hook: (event: HookEvent, context: DispatchContext) => {
      const hook = findHook(hooks, event);
      if (hook === undefined) return undefined;
      const ctx = createContext(aboutHook(event, host?.log), context);
      return (async () => void await guarded(() => hook(ctx), (error) => late(error, `hook ${event.name}`)))();
    } },
    close: async () => {
      loose?.[Symbol.dispose]();
      loose = host = undefined;
    },
  };
}

function toInfo({ keyOf, policy, codecs: { input } }: BoundRoute): RouteInfo {
  if (keyOf === undefined) return { policy };
  return {
    policy,
    // The key is asked before the message is stored, so what it sees is decoded and not yet checked.
    key: (payload, caller) => keyOf(input.decode(payload) as never, caller),
  };
}

interface Around {
  readonly ctx: Ctx;
  late(error: unknown, context: string): void;
}

/** Where nothing is checked, the promise of the handler's outcome is the only one. */
function dispatch(route: BoundRoute, message: WorkloadMessage, o: Around): Promise<Outcome> {
  const { codecs: { input } } = route;
  let value: unknown;
  try {
    value = input.decode(message.payload);
  } catch (error) {
    return Promise.resolve(failed("node.decode_failure", `input of ${route.key} cannot be read: ${textOf(error)}`, { cause: error }));
  }
  return input.check === undefined ? handled(route, value, o) : checked(route, input.check(value), o);
}

async function checked(route: BoundRoute, check: Promise<Checked<unknown>>, o: Around): Promise<Outcome> {
  const found = await check;
  if (found.ok) return handled(route, found.value, o);
  const { issues } = found;
  return failed("node.invalid_argument", `input of ${route.key}: ${issues.join("; ")}`, { facts: { issues } });
}

function handled(route: BoundRoute, value: unknown, o: Around): Promise<Outcome> {
  const late = (error: unknown): void => o.late(error, `handler of ${route.key}`);
  return toOutcome(route, () => guarded(() => route.handle(value, o.ctx), late));
}

function failed(...fault: Parameters<typeof nodeError>): Outcome {
  return { is: "failed", fault: nodeError(...fault) };
}

/** Fails with what the handler throws, or left behind while it ran; what comes afterwards goes to `late`. */
function guarded<T>(handle: () => T | Promise<T>, late: (error: unknown) => void): T | Promise<T> {
  let fail: ((error: unknown) => void) | undefined;
  const given = hearing((error) => (fail ?? late)(error), handle);
  if (!isPromise(given)) return given;
  return new Promise<T>((resolve, reject) => {
    fail = reject;
    given.then((value) => {
      fail = undefined;
      resolve(value);
    }, (error: unknown) => {
      fail = undefined;
      reject(error);
    });
  });
}

async function read(route: BoundStream, stream: InStream, ctx: Ctx): Promise<void> {
  const late = (error: unknown): void => ctx.log.error(`stream ${route.name}: ${textOf(error)}`);
  await guarded(() => route.handle(readItems(route, stream), ctx), late);
}

function toFault(error: unknown): Fault {
  return isFault(error) ? error : nodeError("node.internal", textOf(error), { cause: error });
}
