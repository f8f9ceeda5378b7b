/** Speaks with the mob: signs in, asks, listens. Knows nothing of the page. */

export class MobFault extends Error {
  constructor({ message, data = {} }, status) {
    super(message);
    this.status = status;
    this.code = data.code ?? "";
    this.hint = data.hint ?? "";
  }
}

async function post(path, body, { headers = {}, verb = "POST" } = {}) {
  const answer = await fetch(path, {
    method: verb, headers: { "content-type": "application/json", "x-atoll": "1", ...headers }, ...body === undefined ? {} : { body: JSON.stringify(body) },
  });
  if (answer.status === 204) return undefined;
  const read = await answer.json();
  if (!answer.ok) throw new MobFault(read.error, answer.status);
  return read;
}

export const signInByTicket = (ticket) => post("/v1/session", { ticket });
export const signInByToken = (token) => post("/v1/session", {}, { headers: { authorization: `Bearer ${token}` } });
export const signOut = () => post("/v1/session", undefined, { verb: "DELETE" });

/** One method. */
export async function ask(method, params = {}) {
  const { result, error } = await post("/v1/rpc", { jsonrpc: "2.0", id: 1, method: `mob/${method}`, params });
  if (error !== undefined) throw new MobFault(error, 200);
  return result;
}

/** Several at once; those that are refused are undefined. */
export async function askAll(calls) {
  if (calls.length === 0) return [];
  const answers = await post("/v1/rpc", calls.map(([method, params = {}], id) => ({ jsonrpc: "2.0", id, method: `mob/${method}`, params })));
  const found = new Map(answers.map(({ id, result }) => [id, result]));
  return calls.map((_, id) => found.get(id));
}

const FIRST_WAIT_MS = 250;
const LAST_WAIT_MS = 10_000;
/** The server says something every 15 s. */
const SILENCE_MS = 40_000;

/**
 * Everything from that cursor on, or from now on without one, for ever: a stream that breaks is opened again where it was. `tell`: {event}, {state: "live" |
 * "wait"}; ends with {state: "stale"} when the cursor is not of this history, {state: "out"} when nobody is signed in, and {state: "denied"} when
 * some of it may be heard no more.
 */
export async function listen({ topics, after, tell, signal }) {
  let cursor = after;
  let waitMs = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const quiet = new AbortController();
    let watch = setTimeout(() => quiet.abort(), SILENCE_MS);
    try {
      const answer = await fetch(`/v1/stream?topics=${encodeURIComponent(topics)}`, { headers: cursor === undefined ? {} : { "last-event-id": cursor }, signal: AbortSignal.any([signal, quiet.signal]) });
      if (answer.status === 410) return tell({ state: "stale" });
      if (answer.status === 401) return tell({ state: "out" });
      if (answer.status === 403) return tell({ state: "denied" });
      if (!answer.ok) throw new Error(String(answer.status));
      tell({ state: "live" });
      for await (const event of eventsOf(answer.body)) {
        clearTimeout(watch);
        watch = setTimeout(() => quiet.abort(), SILENCE_MS);
        waitMs = FIRST_WAIT_MS;
        if (event.id !== undefined) cursor = event.id;
        if (event.name !== undefined) tell({ event });
      }
    } catch {
      // Broken, refused for now, or silent for too long.
    } finally {
      clearTimeout(watch);
    }
    if (signal.aborted) return;
    tell({ state: "wait", waitMs });
    await new Promise((resolve) => setTimeout(resolve, waitMs * (0.5 + Math.random() / 2)));
    waitMs = Math.min(LAST_WAIT_MS, waitMs * 2);
  }
}

/** Server-sent events of a body; comments come as events without a name. */
async function* eventsOf(body) {
  const text = new TextDecoder();
  let rest = "";
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + text.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop();
      for (const part of parts) yield eventOf(part);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function eventOf(part) {
  const event = { id: undefined, name: undefined, data: undefined };
  for (const line of part.split("\n")) {
    const colon = line.indexOf(":");
    const [field, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    if (field === "id") event.id = value;
    else if (field === "event") event.name = value;
    else if (field === "data") event.data = JSON.parse(value);
  }
  return event;
}
