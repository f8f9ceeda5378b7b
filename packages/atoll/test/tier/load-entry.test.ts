/** Node 10: what the entry of a file becomes, with what the file says of it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { decideDeployment } from "../../bin/config/deployment.ts";
import { loadEntry } from "../../bin/tier/load-entry.ts";
import { local } from "../../src/node.ts";

test("a script gets its codecs and its concurrency from the file, and never the secret of the realm, nor do its children", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-entry-"));
  process.env["REALM_PASS_WORD"] = "s3cret-of-the-realm";
  t.after(() => {
    delete process.env["REALM_PASS_WORD"];
    rmSync(folder, { recursive: true, force: true });
  });
  writeFileSync(join(folder, "script.lua"), `
    bus.on("a.B.Text", function(event) return type(event.payload) .. ":" .. tostring(event.payload) end)
    bus.on("a.B.Seen", function() return {own = std.env.get("REALM_PASS_WORD") or "none", path = std.env.get("PATH") ~= nil,
      child = sh.exec("echo \\"[$REALM_PASS_WORD]\\"").stdout} end)
    bus.serve()`);
  const text = `[node]\ntype = "acme:script:1.0.0"\nentry = "script.lua"\nconcurrency = 3\n[realm]\nsecret_env = "REALM_PASS_WORD"\n`
    + `[routes."a.B.Text"]\ncodec = "text"\n`;
  const decided = decideDeployment({ file: { text, where: { name: "t" } }, overlay: new Map() });
  assert.ok(decided.ok);
  const hosted = await loadEntry({ deployment: decided.value, folder, warnings: [] }, { write: () => undefined });
  assert.deepEqual([hosted.kind, hosted.concurrency, hosted.type], ["block", 3, "acme:script:1.0.0"]);
  await using app = await local({ memory: true, services: { script: hosted } });
  const ask = async (route: string, body: string): Promise<unknown> =>
    JSON.parse(Buffer.from(await app.node("script").callRaw(route, Buffer.from(body), { to: "self" })).toString());
  assert.equal(await ask("a.B.Text", "no JSON"), "string:no JSON");
  assert.deepEqual(await ask("a.B.Seen", "null"), { own: "none", path: true, child: "[]\n" });
});
