/** The two nodes of the walk: a service in TypeScript and a block in Lua, who call and tell each other. */
import { blockService, type Hosted, json, route, service } from "@atoll-run/atoll/node";

export const Greeter = service({
  type: "acme:greeter:1.0.0", name: "acme.Greeter", routes: {
    Greet: route({ input: json<{ name: string }>(), output: json<{ text: string; from: string }>() }),
    Note: route({ input: json<{ text: string }>(), tell: true }),
  },
});

export function greeter(notes: string[]) {
  return Greeter.implement({
    Greet: ({ name }, ctx) => ({ text: `hello ${name}`, from: ctx.caller.kind === "peer" ? ctx.caller.proof : "local" }),
    Note: ({ text }) => void notes.push(text),
  });
}

/** Counts what it is asked; tells the greeter, by its type, in the transaction of its answer. */
export const COUNTER_TYPE = "acme:counter:1.0.0";
const SCRIPT = `
bus.on("acme.Counter.Next", function(event)
  local n = (event.tx:get("counters", "n") or 0) + 1
  event.tx:set("counters", "n", n)
  event.tx:tell(event.payload.tell, "acme.Greeter.Note", {text = "counted " .. n})
  return {n = n, proof = event.meta.proof}
end)
mesh.on(function(event) return {heard = event.payload.text} end)
bus.serve()
`;

export function counter(): Hosted {
  return blockService({ type: COUNTER_TYPE, script: { name: "counter.lua", source: SCRIPT } });
}
