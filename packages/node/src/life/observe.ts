/** Hooks of a host program as an observer of the event stream: with the same powers as those of the workload. */
import type { DispatchContext, HookEvent, Log } from "@atoll-run/core";
import type { Observer } from "../hooks/hook-stream.ts";
import type { NodeEventName } from "../hooks/report.ts";
import { NODE_LIMITS } from "../limits.ts";
import { createContext } from "../service/context.ts";
import { aboutHook } from "../service/about.ts";
import { findHook, toHookName, type Hooks } from "../service/hooks.ts";
import type { SideScope } from "./side-context.ts";

export interface ObserveParts {
  readonly side: (
    o: SideScope, run: (context: DispatchContext) => Promise<void> | undefined,
  ) => Promise<void> | undefined;
  readonly log: Log;
}

const EVENTS: readonly NodeEventName[] = [
  "start", "ready", "stop", "error", "signaling_connecting", "signaling_connected", "signaling_disconnected",
  "websocket_connecting", "websocket_connected", "websocket_disconnected", "webrtc_connecting", "webrtc_connected",
  "webrtc_disconnected", "credential_renewed", "credential_expiring", "mailbox_backpressure",
];

export function toObserver(hooks: Partial<Hooks>, parts: ObserveParts): Observer {
  const heard = EVENTS.filter((name) => hooks[toHookName(`on_${name}`)] !== undefined);
  const hear = (_fact: unknown, event: HookEvent, { signal }: { readonly signal: AbortSignal }): Promise<void> | undefined =>
    parts.side({ limitMs: NODE_LIMITS.hooks.hookMsMax, signal, what: `observer of ${event.name}`, span: { name: "hook", event: event.name, kind: "observer" } }, async (context) => {
      await findHook(hooks, event)?.(createContext(aboutHook(event, parts.log), context));
    });
  return Object.fromEntries(heard.map((name) => [name, hear])) as Observer;
}
