/**
 * `/healthz`, `/readyz` and `/metrics` of a node (spec: node 11.4).
 * takes a place to listen; gives what the node says of itself; promises that closing it waits for nothing but its own
 * answers; refuses all else with 404; never tells more than health and numbers.
 */
import { createServer, type ServerResponse } from "node:http";
import { nodeError } from "@atoll-run/core";
import type { Health } from "./health.ts";
import type { HealthPlace } from "./parts.ts";

export interface HealthSource {
  health(): Health;
  live(): Promise<boolean>;
  /** In the exposition format. */
  metrics(): string;
}

export interface HealthServer extends AsyncDisposable {
  /** `http://127.0.0.1:9100`. */
  readonly url: string;
}

const REQUEST_MS = 5_000;
const CONNECTIONS_MAX = 64;

/** Throws `node.bind_failed`. */
export async function serveHealth(place: HealthPlace, source: HealthSource): Promise<HealthServer> {
  const served = { ...source, metrics: place.metrics === false ? undefined : source.metrics };
  const server = createServer((request, response) => void answer(request.url ?? "", response, served));
  server.requestTimeout = REQUEST_MS;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(nodeError("node.bind_failed", `health cannot be served: ${cause.message}`, { cause })));
    server.listen({ host: place.host, port: place.port }, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : place.port;
  return {
    url: `http://${place.host.includes(":") ? `[${place.host}]` : place.host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Served = Omit<HealthSource, "metrics"> & { readonly metrics: HealthSource["metrics"] | undefined };

async function answer(path: string, response: ServerResponse, source: Served): Promise<void> {
  const health = source.health();
  const { metrics } = source;
  switch (path) {
    case "/healthz": {
      const live = health.state !== "closed" && await source.live();
      return json(response, live ? 200 : 503, { live, ...health });
    }
    case "/readyz": return json(response, health.ready ? 200 : 503, health);
    case "/metrics":
      if (metrics !== undefined) return send(response, { status: 200, type: "text/plain; version=0.0.4", body: metrics() });
      return json(response, 404, { error: "metrics are switched off: there is /healthz and /readyz" });
    default: return json(response, 404, { error: "there is /healthz, /readyz and /metrics" });
  }
}

function json(response: ServerResponse, status: number, value: object): void {
  send(response, { status, type: "application/json", body: `${JSON.stringify(value)}\n` });
}

function send(response: ServerResponse, o: { readonly status: number; readonly type: string; readonly body: string }): void {
  response.writeHead(o.status, { "content-type": o.type, "cache-control": "no-store" });
  response.end(o.body);
}
