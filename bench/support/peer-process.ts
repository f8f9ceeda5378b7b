/**
 * The other process of a bench over sockets: `node peer-process.ts HOW FOLDER`. Says where it listens by its channel,
 * answers `"memory"` with its resident bytes, and ends with the channel.
 */
import process from "node:process";
import { WebSocketServer } from "ws";
import { openRawMail } from "./raw-mail.ts";

const [how = "", folder = ""] = process.argv.slice(2);

async function serve(): Promise<string> {
  if (how === "node") return await serveNode();
  if (how === "moleculer") return await serveMoleculer();
  return await serveRaw();
}

/** A node, durable when it has a folder. */
async function serveNode(): Promise<string> {
  const [{ echoWorkload }, { openKeyedNode }, { sqlite }] = await Promise.all([
    import("./echo.ts"), import("./keyed-node.ts"), import("./built.ts"),
  ]);
  const store = folder === "" ? {} : { store: await sqlite.openState({ dir: folder }) };
  const { address } = await openKeyedNode({ serial: 1, workload: echoWorkload(), ...store });
  return address;
}

/** The bare library: what comes in goes back, after a commit of one row when there is a folder. */
async function serveRaw(): Promise<string> {
  const mail = folder === "" ? undefined : openRawMail(`${folder}/raw.sqlite`);
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  server.on("connection", (socket) => socket.on("message", (data) => {
    mail?.insert(1);
    socket.send(data, { binary: true });
  }));
  await new Promise((resolve) => server.once("listening", resolve));
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function serveMoleculer(): Promise<string> {
  const { startBroker } = await import("./moleculer.ts");
  return await startBroker("server", undefined);
}

const address = await serve();
process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  // What the first one frees by finalizers is gone with the second.
  global.gc?.();
  setTimeout(() => {
    global.gc?.();
    process.send?.({ rss: process.memoryUsage().rss });
  }, 100);
});
process.send?.({ address });
