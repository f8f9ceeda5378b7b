/**
 * A service: plain functions typed by their routes (spec: node 2).
 *
 * ```ts
 * const Charge = route({ input: ChargeIn, output: Receipt });
 * const Bank = service({ type: "acme:bank:1.0.0", name: "bank.Bank", routes: { Charge } });
 * const impl = Bank.implement({ async Charge(input, ctx) { return { id: ctx.requestId } } });
 * ```
 */
import { isOwnType, nodeError, parseRoute, parseType, type Workload } from "@atoll-run/core";
import type { Ctx } from "./context.ts";
import type { ItemReader } from "./items.ts";
import { toLinked, type ImplementOptions } from "./linked.ts";
import type { Refusal } from "./refusal.ts";
import type { Route, RouteSpec, RouteTypes, StreamRoute, StreamSpec, StreamTypes, Written } from "./route.ts";

/** What a handler may return: its value, or one of the route's errors by `err`. */
export type Returned<T extends RouteTypes> = T["returned"] | {
  [C in keyof T["errors"] & string]: Refusal<C, T["errors"][C] extends null ? undefined : Written<T["errors"][C]>>
}[keyof T["errors"] & string];

export type Handler<R> = R extends RouteSpec<infer T>
  ? (input: T["handed"], ctx: Ctx<T["errors"]>) => Returned<T> | Promise<Returned<T>>
  : never;

export type StreamHandler<S> = S extends StreamSpec<infer T>
  ? (items: ItemReader<T["read"]>, ctx: Ctx) => void | Promise<void>
  : never;

export type Handlers<R, S> =
  & { readonly [K in keyof R]: Handler<R[K]> }
  & { readonly [K in keyof S]: StreamHandler<S[K]> };

/** A service that can be linked into a node. */
export interface Impl extends Workload {
  readonly kind: "linked";
  /** `manufacturer:name:version`: the type under which the node registers. */
  readonly type: string;
  readonly name: string;
}

type RouteMap = Readonly<Record<string, RouteSpec<RouteTypes>>>;
type StreamMap = Readonly<Record<string, StreamSpec<StreamTypes>>>;

type Keyed<R> = { readonly [K in keyof R]: R[K] extends RouteSpec<infer T> ? Route<T> : never };
type Named<S> = { readonly [K in keyof S]: S[K] extends StreamSpec<infer T> ? StreamRoute<T> : never };

export interface Service<R, S> {
  readonly type: string;
  readonly name: string;
  readonly routes: Keyed<R>;
  readonly streams: Named<S>;
  /** Binds functions to the routes. An impl runs in one node at a time. */
  implement(handlers: Handlers<R, S>, o?: ImplementOptions): Impl;
}

export interface ServiceOptions<R, S> {
  /** `manufacturer:name:version`, ASCII. */
  readonly type: string;
  /** `package.Service`; a route's key is `<name>.<Method>`. */
  readonly name: string;
  readonly routes: R;
  readonly streams?: S;
}

/** Throws `node.invalid_argument` for a type or a name that cannot stand on the wire. */
export function service<const R extends RouteMap, const S extends StreamMap = Readonly<Record<never, never>>>(
  options: ServiceOptions<R, S>,
): Service<R, S> {
  const { type, name, routes, streams } = options;
  const parsed = parseType(type);
  if (parsed === undefined || !isOwnType(parsed)) {
    const text = `service: type ${JSON.stringify(type)} is not manufacturer:name:version`;
    throw nodeError("node.invalid_argument", text);
  }
  const keyed = keys(name, routes).map(([method, key, spec]) => [method, { ...spec, key }] as const);
  const named = keys(name, streams ?? {}).map(([method, key, spec]) => [method, { ...spec, name: key }] as const);
  return {
    type, name,
    routes: Object.fromEntries(keyed) as unknown as Keyed<R>, streams: Object.fromEntries(named) as unknown as Named<S>,
    implement: (handlers, o = {}) => {
      const given = handlers as unknown as Readonly<Record<string, unknown>>;
      return { ...toLinked({ routes: bind(keyed, given), streams: bind(named, given) }, o), type, name };
    },
  };
}

function keys<T>(name: string, specs: Readonly<Record<string, T>>): readonly (readonly [string, string, T])[] {
  return Object.entries(specs).map(([method, spec]) => {
    const key = `${name}.${method}`;
    if (parseRoute(key) === undefined) {
      throw nodeError("node.invalid_argument", `service: ${JSON.stringify(key)} is not package.Service.Method`);
    }
    return [method, key, spec] as const;
  });
}

function bind<T, H>(
  specs: readonly (readonly [string, T])[], handlers: Readonly<Record<string, unknown>>,
): readonly (T & { handle: H })[] {
  return specs.map(([method, spec]) => {
    const handle = handlers[method];
    if (typeof handle !== "function") throw nodeError("node.invalid_argument", `implement: no function for ${method}`);
    return { ...spec, handle: handle as H };
  });
}
