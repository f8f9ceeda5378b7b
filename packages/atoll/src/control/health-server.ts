/**
 * `/healthz`, `/readyz` and `/metrics` of a node over HTTP (spec: node 11.3, 11.4). Reads only; whoever can reach the
 * port may see it, so it is off until an address is named.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeError } from "@atoll-run/core";
import type { NodeHandle } from "@atoll-run/node";

const CONNECTIONS_MAX = 64;
const REQUEST_MS = 5_000;

/** Rejects with `node.bind_failed`. */
export async function serveHealth(
  { host, port }: { readonly host: string; readonly port: number }, handle: NodeHandle,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => void answer(request.url ?? "/", response, handle));
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(nodeError("node.bind_failed", `cannot listen on ${host}:${port}: ${error.message}`, { cause: error })));
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(path: string, response: ServerResponse, handle: NodeHandle): Promise<void> {
  if (path === "/metrics") return end(response, { status: 200, type: "text/plain; version=0.0.4", text: metricsText(handle.metrics()) });
  if (path === "/readyz") return endJson(response, handle.health().ready, handle.health());
  if (path === "/healthz") {
    const live = await handle.live();
    return endJson(response, live, { live });
  }
  end(response, { status: 404, type: "text/plain", text: "there are /healthz, /readyz and /metrics\n" });
}

function endJson(response: ServerResponse, ok: boolean, value: object): void {
  end(response, { status: ok ? 200 : 503, type: "application/json", text: `${JSON.stringify(value)}\n` });
}

function end(response: ServerResponse, o: { readonly status: number; readonly type: string; readonly text: string }): void {
  response.writeHead(o.status, { "content-type": o.type, "cache-control": "no-store" });
  response.end(o.text);
}

/** Counters end in `_total`, all else goes up and down (Prometheus text format 0.0.4). A name may have its labels. */
function metricsText(metrics: Readonly<Record<string, number>>): string {
  let last = "";
  return Object.entries(metrics).sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => {
    const full = name.startsWith("atoll_") ? name : `atoll_${name}`;
    const [bare = full] = full.split("{");
    const type = bare === last ? "" : `# TYPE ${bare} ${bare.endsWith("_total") ? "counter" : "gauge"}\n`;
    last = bare;
    return `${type}${full} ${value}\n`;
  }).join("");
}
