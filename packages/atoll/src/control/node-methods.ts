/** What a running node answers on its control socket. */
import { formatNodeId, type Json } from "@atoll-run/core";
import type { NodeHandle } from "@atoll-run/node";
import { adminMethods } from "./admin-methods.ts";
import type { ControlMethods } from "./protocol.ts";

/** `draining` hears that somebody has asked the node to end. */
export function nodeMethods(handle: NodeHandle, draining: () => void): ControlMethods {
  return {
    ...adminMethods(handle),
    status: async () => toJson({
      name: handle.name, id: handle.id === undefined ? null : formatNodeId(handle.id), ...handle.health(), metrics: handle.metrics(),
    }),
    drain: async () => {
      draining();
      return toJson(await handle.close());
    },
  };
}

/** Reports are plain data. */
function toJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
