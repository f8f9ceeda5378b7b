/** Moleculer, a library for services in Node.js, as its manual says to use it; without logs, metrics and discovery by UDP. */
import { createServer } from "node:net";
import { once } from "node:events";
import { ServiceBroker } from "moleculer";

const NAMES = { server: "echo-server", client: "echo-client" } as const;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

function broker(nodeID: string, transporter: object | null): ServiceBroker {
  return new ServiceBroker({ nodeID, logger: false, metrics: false, tracing: false, transporter } as never);
}

function addEcho(to: ServiceBroker): void {
  to.createService({ name: "echo", actions: { echo: (context: { readonly params: unknown }) => context.params } });
}

/** One process, no transport. */
export async function localBroker(): Promise<ServiceBroker> {
  const one = broker("alone", null);
  addEcho(one);
  await one.start();
  return one;
}

/** Serves, and gives the url that clients need. */
export async function startBroker(role: "server", peer: undefined): Promise<string>;
/** Asks the server at that url. */
export async function startBroker(role: "client", peer: string): Promise<ServiceBroker>;
export async function startBroker(role: "server" | "client", peer: string | undefined): Promise<string | ServiceBroker> {
  const port = await freePort();
  const one = broker(NAMES[role], {
    type: "TCP", options: { udpDiscovery: false, port, urls: peer === undefined ? [] : [peer] },
  });
  if (role === "server") addEcho(one);
  await one.start();
  if (role === "server") return `127.0.0.1:${port}/${NAMES.server}`;
  await one.waitForServices("echo", 10_000, 50);
  return one;
}
