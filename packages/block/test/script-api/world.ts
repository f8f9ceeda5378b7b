/** What the examples of the script API find around them: a web server that is a model too, a peer, stores. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GivenFunction } from "@atoll-run/block";
import type { Json, Mesh } from "@atoll-run/core";
import { openSqlDatabase, openStores } from "@atoll-run/sqlite";
import { type ScriptOptions, startLua } from "../support/run-script.ts";

/** The server that examples name `my-mcp-server`. */
const DEMO_MCP = fileURLToPath(new URL("./demo-mcp.ts", import.meta.url));

export interface World extends AsyncDisposable {
  /** Runs a script and gives what it returned; `https://example.com` in it is the server. */
  value(source: string, o?: ScriptOptions & { serves?: boolean }): Promise<Json>;
}

export async function openWorld(): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), "atoll-api-"));
  const programs = join(root, "bin");
  mkdirSync(programs);
  writeFileSync(join(programs, "my-mcp-server"), `#!/bin/sh\nexec "${process.execPath}" "${DEMO_MCP}"\n`, { mode: 0o755 });
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stores = openStores({ kvPath: ":memory:", tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode: "WAL" });
  return {
    value: async (source, { serves = false, ...o } = {}) => {
      const { run, end } = startLua(source.replaceAll("https://example.com", base), {
        projectRoot: mkdtempSync(join(root, "run-")), mesh: PEERS, bridges: { mob: MOB },
        env: { PATH: `${programs}:${process.env["PATH"] ?? ""}`, HOME: root },
        stores: {
          sql: () => openSqlDatabase({ path: ":memory:", restricted: false, busyTimeoutMs: 5_000, journalMode: "WAL" }),
          // the stores outlive the run
          kv: () => Object.assign(Object.create(stores.kv), { [Symbol.asyncDispose]: () => Promise.resolve() }),
          series: () => Object.assign(Object.create(stores.series), { [Symbol.asyncDispose]: () => Promise.resolve() }),
        },
        ...o,
      });
      if (serves) {
        await run.request("greet", null);
        void run.stop().catch(() => undefined);
      }
      const { result, error } = await end;
      if (result === undefined) throw error;
      return result.value;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stores[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const PEER = { id: "editor", profile: "editor", state: "dormant", labels: {} };
const TICKET = { turn_id: "t_1", member: "editor", state: "queued", duplicate: false };
/** A mob stands around no block here: the real one is tested where it is. */
const MOB: Readonly<Record<string, GivenFunction>> = {
  me: () => ({ id: "writer", profile: "writer", generation: 1, labels: {}, context: null, session: "s_1", wired_to: ["editor"] }),
  members: () => [PEER], send: () => TICKET, wake: () => TICKET, request: ({ content = null }) => ({ answered: content }),
  spawn: () => PEER, retire: () => undefined, note: () => undefined, "flow.run": () => ({ run_id: "r_1", state: "running" }),
};

const PEERS: Mesh = {
  id: "alice",
  request: (_to, payload) => Promise.resolve({ answered: payload }),
  serve: () => ({ [Symbol.dispose]: () => undefined }),
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (request.url === "/v1/messages") return send(response, MESSAGE);
  if (request.url === "/mcp") return answerMcp(request, response, body);
  response.setHeader("content-type", "text/plain").end("hello");
}

function answerMcp(request: IncomingMessage, response: ServerResponse, body: string): void {
  const { id, method } = request.method === "POST" ? JSON.parse(body) as { id?: number; method: string } : {};
  if (method === "initialize") {
    const serverInfo = { name: "tiny", version: "1" };
    return send(response, { jsonrpc: "2.0", id: id ?? 0, result: { protocolVersion: "2025-06-18", capabilities: {}, serverInfo } });
  }
  response.statusCode = method === undefined ? 405 : 202;
  response.end();
}

function send(response: ServerResponse, data: Json): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify(data));
}

const MESSAGE: Json = {
  id: "msg_1", type: "message", role: "assistant", model: "test", stop_reason: "end_turn", stop_sequence: null,
  content: [{ type: "text", text: "```lua\nprint(\"ALL_PASS\")\n```" }], usage: { input_tokens: 1, output_tokens: 1 },
};
