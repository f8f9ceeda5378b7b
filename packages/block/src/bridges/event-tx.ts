/** Host half of `event.tx`: a handler names the event whose transaction it means. */
import { blockError } from "../errors.ts";
import type { EventTx } from "../bus/origin.ts";
import type { GrantGate } from "../grants/gate.ts";
import { JsonText, type OpCall, type Ops, type Value } from "./op.ts";

/** Methods of `event.tx`, and the arguments behind the table itself. */
export const EVENT_TX: Readonly<Record<"set" | "delete" | "tell" | "get", readonly string[]>> = {
  set: ["ns:string", "key:string", "value:json"], delete: ["ns:string", "key:string"],
  tell: ["to:string", "route:string", "payload:json?"], get: ["ns:string", "key:string"],
};

export function eventTxOps(gate: Pick<GrantGate, "mesh">): Ops {
  const tx = (event: Value, call: OpCall): EventTx => {
    const origin = call.origin?.(Number(event));
    if (origin === undefined) throw blockError("bus.closed", "event.tx: the event is over");
    return origin.tx;
  };
  return {
    "event.tx.set": ([event, space, key, value], call) => {
      tx(event, call).set(String(space), String(key), String(value));
      return undefined;
    },
    "event.tx.delete": ([event, space, key], call) => {
      tx(event, call).delete(String(space), String(key));
      return undefined;
    },
    "event.tx.tell": ([event, to, route, payload = "null"], call) => {
      const recorder = tx(event, call);
      gate.mesh(String(to));
      recorder.tell(String(to), String(route), String(payload));
      return undefined;
    },
    "event.tx.get": async ([event, space, key], call) => {
      const value = await tx(event, call).get(String(space), String(key));
      return value === null ? undefined : new JsonText(value);
    },
  };
}
