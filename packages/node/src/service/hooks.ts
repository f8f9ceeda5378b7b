/** The 16 hooks as functions of a service or an observer (spec: node 5). */
import type { HookEvent } from "@atoll-run/core";
import type { NodeEventMap, NodeEventName } from "../hooks/report.ts";
import type { Ctx } from "./context.ts";

type Camel<N extends string> = N extends `${infer A}_${infer B}` ? `${Capitalize<A>}${Camel<B>}` : Capitalize<N>;
/** The two wires keep their own capitals. */
type HookName<N extends string> = N extends `websocket_${infer R}` ? `onWebSocket${Camel<R>}`
  : N extends `webrtc_${infer R}` ? `onWebRtc${Camel<R>}` : `on${Camel<N>}`;

export interface Ordered {
  /** Rises by one with each event of the node. */
  readonly seq: number;
  readonly at_ms: number;
}

/** `onStart(fact, ctx)` … ; each runs at most 5 s, `onStart`, `onReady` and `onStop` as the life cycle says. */
export type Hooks = {
  readonly [N in NodeEventName as HookName<N>]: (fact: NodeEventMap[N] & Ordered, ctx: Ctx) => void | Promise<void>
};

/** `on_websocket_connected` → `onWebSocketConnected`. */
export function toHookName(name: string): keyof Hooks {
  const words = name.replace(/^on_/, "").split("_");
  return `on${words.map((word) => WORDS[word] ?? capital(word)).join("")}` as keyof Hooks;
}

function capital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

const WORDS: Readonly<Record<string, string>> = { websocket: "WebSocket", webrtc: "WebRtc" };

/** Undefined: it does not listen to this. */
export function findHook(hooks: Partial<Hooks>, event: HookEvent): ((ctx: Ctx) => void | Promise<void>) | undefined {
  const hook = hooks[toHookName(event.name)] as ((fact: unknown, ctx: Ctx) => void | Promise<void>) | undefined;
  return hook === undefined ? undefined : (ctx) => hook({ ...event.fact, seq: event.seq, at_ms: event.at_ms }, ctx);
}
