/** `bus` and `mesh`: events of the block and its peers. */
import { apiModule, fn, shape } from "../declare.ts";

const OPTS = "`isle`: \"main\" keeps the handler in the isle of the script; `timeout_ms`: time for one event.";
const HANDLER = "Gets the event; what it returns is the answer.";

export const bus = apiModule("bus", "The block's own event queue: what comes in, and who handles it.", {
  functions: [
    fn("~bus.on(kind: string, handler: fn(event: BusEvent) -> any, opts: HandlerOptions?)",
      "Handles the events of one kind; the last registration wins.", {
        params: { kind: "Kind of the events.", handler: HANDLER, opts: OPTS },
        errors: "bus.register",
        example: `bus.on("greet", function(event)\n  return "hello " .. event.payload.name\nend)`,
      }),
    fn("~bus.on_any(handler: fn(event: BusEvent) -> any, opts: HandlerOptions?)",
      "Handles the events that no other handler is for.", {
        params: { handler: HANDLER, opts: OPTS }, errors: "bus.register",
        example: `bus.on_any(function(event) return {unknown = event.kind} end)`,
      }),
    fn("~bus.emit(kind: string, payload: json?, id: string?)",
      "Puts an event into the queue; waits while it is full.", {
        params: { kind: "Kind of the event.", payload: "Plain data.", id: "Its id; default a fresh UUID." },
        errors: "bus.overloaded bus.closed json.encode json.depth", host: true,
        example: `bus.emit("greet", {name = "Ada"})`,
        before: `bus.on("greet", function() end)`,
      }),
    fn("~bus.serve()", "Hands out events until the run is told to stop, then returns.", {
      errors: "bus.closed bus.register", host: true, mainOnly: true,
      example: `bus.on("greet", function(event) return "hello" end)\nbus.serve()`,
    }),
  ],
  shapes: [
    shape("BusEvent", "An event as its handler gets it.", {
      "kind: string": "Kind of the event.",
      "id: string": "Id of the event.",
      "payload: json?": "What it carries.",
      "meta: json?": "Who sent it and how long it may take: `{from, deadline_ms}` of a peer's request.",
      "tx: EventTx?": "What is to be done together with the answer; only when a node delivered the event.",
    }),
    shape("EventTx", "Records; all of it is done in the one commit that finishes the event, or nothing.", {}, [
      fn("~set(ns: string, key: string, value: json)", "Puts a document.", {
        params: { ns: "Name of the space.", key: "Key.", value: "Plain data." }, errors: "bus.closed json.encode json.depth",
        example: `bus.on("order", function(event) event.tx:set("orders", event.id, event.payload) end)`,
      }),
      fn("~delete(ns: string, key: string)", "Removes a document.", {
        params: { ns: "Name of the space.", key: "Key." }, errors: "bus.closed",
        example: `bus.on("cancel", function(event) event.tx:delete("orders", event.payload) end)`,
      }),
      fn("~get(ns: string, key: string) -> json?", "The document, with what was recorded here.", {
        params: { ns: "Name of the space.", key: "Key." }, errors: "bus.closed",
        example: `bus.on("status", function(event) return event.tx:get("orders", event.payload) end)`,
      }),
      fn("~tell(to: string, route: string, payload: json?)", "Tells a node once the event is finished, until it took it.", {
        params: { to: "Address of the node.", route: "Route of the message.", payload: "Plain data." },
        errors: "bus.closed json.encode json.depth",
        example: `bus.on("done", function(event) event.tx:tell("bob", "acme.Log.Line", {text = "done"}) end)`,
      }),
    ]),
    shape("HandlerOptions", "How a handler runs.", {
      'isle: ("main" | "handler")?': "Where it runs; default `handler`, where it never blocks the script.",
      "timeout_ms: integer?": "Milliseconds one event may take.",
    }),
  ],
});

const PEER_ERRORS = "mesh.not_connected mesh.timeout mesh.rejected json.encode json.depth";
const TO = "Address of the peer.";

export const mesh = apiModule("mesh", "Other agents: asking them and being asked.", {
  functions: [
    fn("~mesh.send(id: string, payload: json?, opts: MeshOptions?)",
      "Sends a message to a peer and waits until it was handled; the answer is dropped.", {
        params: { id: TO, payload: "Plain data, at most 4 MiB.", opts: "`timeout_ms`: default 10,000." },
        errors: PEER_ERRORS, host: true, example: `mesh.send("bob", {note = "done"})`,
      }),
    fn("~mesh.request(id: string, payload: json?, opts: MeshOptions?) -> json?",
      "Asks a peer and gives its answer.", {
        params: {
          id: TO, payload: "Plain data, at most 4 MiB.",
          opts: "`timeout_ms`: default 30,000, or what is left of the event being handled.",
        },
        errors: PEER_ERRORS, host: true, example: `local answer = mesh.request("bob", {question = "ready?"})`,
      }),
    fn("mesh.agent_id() -> string", "The address of this agent; empty when it has none.", {
      example: `print(mesh.agent_id())`,
    }),
    fn("~mesh.on(handler: fn(event: BusEvent) -> any, opts: HandlerOptions?)",
      "Handles what peers ask: the same as `bus.on(\"mesh\", handler, opts)`.", {
        params: { handler: HANDLER, opts: OPTS }, errors: "bus.register",
        example: `mesh.on(function(event) return {got = event.payload} end)`,
      }),
  ],
  shapes: [
    shape("MeshOptions", "How long to wait for a peer.", { "timeout_ms: integer?": "Milliseconds." }),
  ],
});
