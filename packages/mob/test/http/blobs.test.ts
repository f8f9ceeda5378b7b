/** Goal: bytes come in and go out as they are, and harm no browser. Invariants: equal by all doors; nobody's file is read before he may write; a blob is not held in memory to be sent. Method: a real server, real sockets. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { memoryBlobs } from "@atoll-run/core";
import { createBlobs, toOpenApi } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { served } from "./served.ts";

const MIB = 1_048_576;
const NONE = `sha256:${"0".repeat(64)}`;

async function open(t: TestContext, o: Parameters<typeof served>[1] = {}) {
  const made = await served(t, o);
  const { http } = made;
  const as = (role: string): Record<string, string> => ({ authorization: `Bearer token-of-${role}` });
  const upload = async (files: readonly (string | File)[], role = "admin") => {
    const form = new FormData();
    for (const [at, file] of files.entries()) {
      if (typeof file === "string") form.append(`part${at}`, file);
      else form.append(`part${at}`, file);
    }
    const answer = await fetch(`${http.url}/v1/blobs`, { method: "POST", headers: as(role), body: form });
    return { status: answer.status, body: await answer.json() as { blob_id: string } & { error: { data: { code: string; hint: string } } } };
  };
  const download = (id: string, { role = "admin", headers = {} }: { role?: string; headers?: Record<string, string> } = {}) => fetch(`${http.url}/v1/blobs/${id}`, { headers: { ...as(role), ...headers } });
  return { ...made, upload, download };
}

const file = (bytes: Uint8Array, type: string): File => new File([bytes as Uint8Array<ArrayBuffer>], "a", { type });

test("a file comes in by a form and goes out byte for byte; RPC gives the same in base64, and stat the same without", async (t) => {
  const { upload, download, rpc, ask } = await open(t);
  for (const [size, type] of [[0, "image/png"], [70_000, "text/plain; charset=utf-8"], [25 * MIB, "application/zip"]] as const) {
    const bytes = randomBytes(size);
    const row = { blob_id: `sha256:${createHash("sha256").update(type).update("\0").update(bytes).digest("hex")}`, media_type: type, size };
    assert.deepEqual(await upload([file(bytes, type)]), { status: 200, body: row });
    const answer = await download(row.blob_id);
    assert.deepEqual([answer.status, answer.headers.get("content-type"), answer.headers.get("content-length")], [200, type, String(size)]);
    assert.equal(Buffer.compare(Buffer.from(await answer.arrayBuffer()), bytes), 0);
    assert.deepEqual((await rpc("mob/blobs/get", { blob_id: row.blob_id })).result, { ...row, data: bytes.toString("base64") });
    assert.deepEqual((await ask("GET", `/v1/blobs/${row.blob_id}/stat`)).body, row);
    if (size > MIB / 2) continue;
    assert.deepEqual((await rpc("mob/blobs/put", { media_type: type, data: bytes.toString("base64") })).result, row);
    assert.deepEqual((await ask("POST", "/v1/blobs", { body: { media_type: type, data: bytes.toString("base64") } })).body, row);
  }
});

for (const [type, how] of [
  ["image/png", "inline"], ["image/jpeg", "inline"], ["image/webp", "inline"], ["image/gif", "inline"], ["image/svg+xml", "attachment"], ["text/html", "attachment"],
  ["application/pdf", "attachment"], ["text/javascript", "attachment"], ["image/png; x=y", "attachment"],
] as const) {
  test(`${type} is served as ${how}, never guessed at, and in a sandbox`, async (t) => {
    const { upload, download } = await open(t);
    const { body: { blob_id } } = await upload([file(Buffer.from("<script>alert(1)</script>"), type)]);
    const { headers } = await download(blob_id);
    assert.deepEqual(["content-type", "content-disposition", "x-content-type-options", "content-security-policy", "cross-origin-resource-policy", "cache-control"].map((name) => headers.get(name)),
      [type, how, "nosniff", "default-src 'none'; sandbox", "same-origin", "private, no-cache"]);
  });
}

test("a browser that has it is told so, if it may still see it", async (t) => {
  const { upload, download } = await open(t);
  const { body: { blob_id } } = await upload([file(Buffer.from("x"), "image/png")]);
  const etag = (await download(blob_id)).headers.get("etag") ?? "";
  const again = await download(blob_id, { headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  assert.equal((await download(blob_id, { role: "nobody", headers: { "if-none-match": etag } })).status, 401);
});

test("who may look takes them out, who may not write brings none; a mob that is read only takes none", async (t) => {
  const { upload, download, ledger } = await open(t);
  const { body: { blob_id } } = await upload([file(Buffer.from("x"), "image/png")]);
  assert.equal((await download(blob_id, { role: "viewer" })).status, 200);
  for (const role of ["viewer", "operator"]) {
    const { status, body } = await upload([file(Buffer.from("y"), "image/png")], role);
    assert.deepEqual([status, body.error.data.code], [403, "mob.denied"]);
  }
  const { entries } = await ledger.query({ kinds: ["access_denied"], after: 0 });
  assert.deepEqual(entries.map(({ principal, data }) => [principal, data["method"]]), [["viewer", "blobs/put"], ["operator", "blobs/put"]]);
  const shut = await open(t, { readOnly: true });
  assert.equal((await shut.upload([file(Buffer.from("y"), "image/png")])).body.error.data.code, "mob.read_only");
});

test("who may not write is told before his file is there", async (t) => {
  const { http } = await open(t);
  const socket = connect(http.port, "127.0.0.1");
  t.after(() => socket.destroy());
  let heard = "";
  socket.on("data", (piece) => { heard += String(piece); }).on("error", () => undefined);
  socket.write(["POST /v1/blobs HTTP/1.1", "Host: localhost", "Authorization: Bearer token-of-viewer", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 20000000", "", ""].join("\r\n"));
  await until(() => /^HTTP\/1.1 403 [^]*mob.denied/.test(heard));
});

test("what is no id, no file, no media type or too large is refused with what to do", async (t) => {
  const { upload, download, ask, rpc } = await open(t);
  for (const id of [NONE, NONE.slice(7), `sha256:${"A".repeat(64)}`, "sha256:..%2F..%2Fhttp.token", "x"]) {
    const answer = await download(id);
    assert.deepEqual([answer.status, (await answer.json() as { error: { data: { code: string } } }).error.data.code], [404, "mob.not_found"], id);
    assert.equal((await rpc("mob/blobs/stat", { blob_id: decodeURIComponent(id) })).error.data.code, "mob.not_found");
  }
  const codes = async (files: readonly (string | File)[]) => {
    const { status, body: { error } } = await upload(files);
    return [status, error.data.code];
  };
  const one = file(Buffer.from("x"), "image/png");
  assert.deepEqual(await codes([]), [400, "mob.invalid_request"]);
  assert.deepEqual(await codes(["text"]), [400, "mob.invalid_request"]);
  assert.deepEqual(await codes([one, one]), [400, "mob.invalid_request"]);
  assert.match((await upload(["text"])).body.error.data.hint, /curl -F/);
  assert.deepEqual(await codes([file(Buffer.from("x"), "nonsense")]), [400, "mob.invalid_params"]);
  assert.deepEqual(await codes([file(new Uint8Array(25 * MIB + 1), "image/png")]), [413, "mob.too_large"]);
  const broken = await ask("POST", "/v1/blobs", { body: "--x\r\nnot a form", headers: { "content-type": "multipart/form-data; boundary=x" } });
  assert.deepEqual([broken.status, broken.body.error.data.code], [400, "mob.parse"]);
  for (const data of ["a", "a===", "%%%%", "ab c"]) assert.equal((await rpc("mob/blobs/put", { media_type: "image/png", data })).error.data.facts.path, "data");
  assert.equal((await rpc("mob/blobs/put", { media_type: "x", data: "" })).error.data.facts.path, "media_type");
});

test("so many files come in at once and no more; those that go out do not count", async (t) => {
  const { http, upload, download, blobs } = await open(t, { limits: { blobsAtOnceMax: 2 } });
  const { body: { blob_id } } = await upload([file(randomBytes(MIB), "image/png")]);
  const slow = [1, 2].map(() => {
    const socket = connect(http.port, "127.0.0.1").on("error", () => undefined);
    t.after(() => socket.destroy());
    socket.write(["POST /v1/blobs HTTP/1.1", "Host: localhost", "Authorization: Bearer token-of-admin", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 20000000", "", "--x"].join("\r\n"));
    return socket;
  });
  const full = async (): Promise<boolean> => await blobs.guest(async () => undefined).then(() => false, () => true);
  await until(full);
  const { status, body } = await upload([file(Buffer.from("x"), "image/png")]);
  assert.deepEqual([status, body.error.data.code], [429, "mob.overloaded"]);
  assert.equal((await (await download(blob_id)).arrayBuffer()).byteLength, MIB);
  for (const socket of slow) socket.destroy();
  await until(async () => !await full());
  assert.equal((await upload([file(Buffer.from("x"), "image/png")])).status, 200);
});

test("who takes a blob and stops is let go of, and nothing more is read for him", async (t) => {
  const { http, upload } = await open(t, { limits: { stalledMs: 300 } });
  const { body: { blob_id } } = await upload([file(randomBytes(25 * MIB), "image/png")]);
  const socket = connect(http.port, "127.0.0.1").on("error", () => undefined);
  t.after(() => socket.destroy());
  const closed = new Promise((resolve) => void socket.once("close", resolve));
  socket.once("data", () => socket.pause());
  socket.write(`GET /v1/blobs/${blob_id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\n\r\n`);
  await until(() => socket.isPaused());
  await until(async () => (await metricOf(http.url)) === 1);
  let bytes = 0;
  socket.on("data", (piece) => { bytes += (piece as Buffer).length; });
  socket.resume();
  await closed;
  assert.ok(bytes < 25 * MIB, "it is not all of it");
});

/** Requests in work, the one that asks among them. */
async function metricOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: "Bearer token-of-admin" } })).text();
  return Number(/^\w*requests\w*(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1]);
}

test("a blob whose bytes are lost on the way breaks off: its caller never takes a part for all", async () => {
  const inner = memoryBlobs();
  const blobs = createBlobs({ limits: { blobBytesMax: MIB, blobsAtOnceMax: 1 }, store: { ...inner, read: async (key, range) => range.from === 0 ? await inner.read(key, range) : new Uint8Array(1) } });
  const { blob_id } = await blobs.put({ media_type: "image/png", bytes: randomBytes(MIB) });
  const { pieces } = await blobs.pieces(blob_id);
  await assert.rejects((async () => {
    for await (const _ of pieces) continue;
  })(), { code: "mob.storage_degraded" });
});

test("the contract says that bytes come by a form and go as they are", () => {
  const { paths } = toOpenApi("1") as { paths: Record<string, Record<string, { requestBody?: { content: object }; responses: { 200: { content: object } } }>> };
  assert.deepEqual(Object.keys(paths["/v1/blobs"]?.["post"]?.requestBody?.content ?? {}), ["application/json", "multipart/form-data"]);
  assert.deepEqual(Object.keys(paths["/v1/blobs/{blob_id}"]?.["get"]?.responses[200].content ?? {}), ["*/*"]);
});
