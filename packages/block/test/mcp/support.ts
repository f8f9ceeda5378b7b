/** Servers for the tests of `mcp`, and scripts that know where they are. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runLua, type ScriptEnd, type ScriptOptions, startLua, type StartedScript, valueOf } from "../support/run-script.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const modules = `${ROOT}node_modules/@modelcontextprotocol`;

/** Globals that every script here gets. */
export const PLACES = {
  NODE: process.execPath, RAW: fileURLToPath(new URL("fixtures/raw-server.ts", import.meta.url)),
  EVERYTHING: `${modules}/server-everything/dist/index.js`, FILES: `${modules}/server-filesystem/dist/index.js`,
  MEMORY: `${modules}/server-memory/dist/index.js`,
};

/** First lines of a script: `raw(name, ...)` and `everything(name)` connect, `texts(result)` joins its texts. */
const HEAD = `
local function raw(name, ...) mcp.connect(name, NODE, {RAW, ...}) end
local function everything(name) mcp.connect(name, NODE, {EVERYTHING, "stdio"}) end
local function texts(r)
  local all = {}
  for _, block in ipairs(r.content or {}) do all[#all + 1] = block.text end
  return table.concat(all, "\\n")
end
local function until_true(check)
  for _ = 1, 2000 do if check() then return true end std.time.sleep(0.01) end
  error("it never came", 2)
end
`;

function whole(source: string): string {
  // one line, so that errors name the lines of the test's own text
  return HEAD.replaceAll("\n", " ") + source;
}

function placed(o: ScriptOptions): ScriptOptions {
  return { ...o, globals: { ...PLACES, ...o.globals } };
}

export function run(source: string, o: ScriptOptions = {}): Promise<ScriptEnd> {
  return runLua(whole(source), placed(o));
}

export function start(source: string, o: ScriptOptions = {}): StartedScript {
  return startLua(whole(source), placed(o));
}

export function value(source: string, o: ScriptOptions = {}): ReturnType<typeof valueOf> {
  return valueOf(whole(source), placed(o));
}

export interface HttpServer extends AsyncDisposable {
  readonly url: string;
}

/** `server-everything` over HTTP, on a port of its own. */
export async function everythingOver(transport: "streamableHttp" | "sse"): Promise<HttpServer> {
  const port = await freePort();
  const child = spawn(process.execPath, [PLACES.EVERYTHING, transport], {
    env: { ...process.env, PORT: String(port) }, stdio: ["ignore", "ignore", "pipe"],
  });
  await listening(child, port);
  return {
    url: `http://127.0.0.1:${port}/${transport === "sse" ? "sse" : "mcp"}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  child.stderr?.resume();
  for (let tries = 0; tries < 600; tries++) {
    const answered = await fetch(`http://127.0.0.1:${port}/nothing`).then(() => true, () => false);
    if (answered) return;
    if (child.exitCode !== null) break;
    await pause(50);
  }
  throw new Error("the server did not begin to listen");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Does a process of this number still run? One that nobody collected counts as gone. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
