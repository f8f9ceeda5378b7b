// The acceptance lines T of block.md section 12, through Lua and the composed library.
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll";
import { runLua, valueOf } from "./support.ts";

async function served(answer: (response: ServerResponse) => void, use: (url: string) => Promise<void>): Promise<void> {
  const server: Server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A process that has ended but was not yet waited for by its parent is not running. */
function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

test("T1 given a server sending 64 MiB, when requested, then the error comes after at most 11 MiB were read", async () => {
  let sent = 0;
  const sockets: Socket[] = [];
  const hear = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", hear);
  await served((response) => {
    const chunk = Buffer.alloc(1 << 16);
    const more = (): void => {
      while (sent < 64 << 20) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  }, async (url) => {
    const { stdout } = await runLua(`local ok, e = pcall(http.request, "${url}") print(ok, e.code, e)`);
    assert.match(stdout, /^false\thttp\.too_large\tresponse body too large: \d+ bytes \(max 10485760\)/);
  });
  unsubscribe("net.client.socket", hear);
  const read = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  assert.ok(read > 10 << 20 && read <= 11 << 20, `${read} bytes were read`);
  // what the sockets of both sides hold was sent, but not read
  assert.ok(sent < 24 << 20, `${sent} bytes were sent`);
});

test("T2 given SSE with CRLF, a split multi-byte character, two data lines and an id, then one call gets joined text and id", async () => {
  const text = Buffer.from("id: 7\r\ndata: h\u00e9llo\r\ndata: w\u00f6rld\r\n\r\ndata: [DONE]\r\n\r\n");
  await served((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text.subarray(0, 15));
    setTimeout(() => response.end(text.subarray(15)), 30);
  }, async (url) => {
    const value = await valueOf(`
      local got = {}
      http.request("${url}", {stream = true, on_data = function(data, ev) std.time.sleep(0.01) got[#got + 1] = {data, ev.id} end})
      return got`);
    assert.deepEqual(value, [["h\u00e9llo\nw\u00f6rld", "7"]]);
  });
});

test("T3 given a command that forks a sleeper, when it times out, then both are gone and partial output is returned", async () => {
  const result = await valueOf(`return sh.exec("sleep 60 & echo $$ $!; sleep 60", {timeout = 1.5})`) as Record<string, unknown>;
  assert.equal(result["ok"], false);
  assert.equal(result["timed_out"], true);
  assert.equal(result["error"], "timeout after 1.5s");
  assert.match(String(result["stdout"]), /^\d+ \d+\n$/);
  assert.deepEqual(String(result["stdout"]).trim().split(" ").filter(isRunning), []);
});

test("T5 given tools zeta, alpha, mid, then tool.list keeps that order in 20 runs", async () => {
  const script = `for _, n in ipairs{"zeta", "alpha", "mid"} do tool.register(n, {description = n, input_schema = {}}, function() end) end return tool.list()`;
  for (let i = 0; i < 20; i++) assert.deepEqual(await valueOf(script), ["zeta", "alpha", "mid"]);
});

test("T5 given a mixed table to a peer, then refused naming its key", async () => {
  const mesh = createLocalMesh();
  let asked = 0;
  mesh.join("peer").serve(async () => ++asked);
  const { stdout } = await runLua(`
    for _, send in ipairs{mesh.request, mesh.send} do
      local ok, e = pcall(send, "peer", {1, 2, colour = "red"}) print(ok, e.code, e)
    end`, { mesh: mesh.join("teller") });
  assert.match(stdout, /^(false\tjson\.encode\t.*mixed table: array part and key 'colour'\n){2}$/);
  assert.equal(asked, 0);
});
