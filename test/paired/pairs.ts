/**
 * Pairs of scripts: one in Lua, one in TypeScript, that must give the same events, results and errors. What may
 * differ is taken out before they are compared: the name of the script and places in it, times, ids, ports, and the
 * spelling of names (camelCase there, snake_case here).
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { type BlockEvent, createPool, type IslePool, type RunConfig, startBlock, type StartedBlock } from "@atoll-run/atoll";

export interface Pair {
  readonly title: string;
  readonly lua: string;
  readonly ts: string;
  readonly config?: Partial<RunConfig>;
  /** Files of the project before the run. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the host does meanwhile. */
  readonly drive?: (run: StartedBlock) => Promise<unknown>;
}

const LUA = `local function try(f, ...)
  local ok, e = pcall(f, ...)
  if ok then return {"ok", e} end
  return {type(e) == "table" and e.code or "", tostring(e)}
end
`;
const TS = `import { agent, block, bus, http, llm, log, mcp, mesh, session, sh, std, tool } from "@atoll-run/atoll/script";
const attempt = async (f: () => unknown): Promise<unknown[]> => {
  try {
    const value = await f();
    return value === undefined ? ["ok"] : ["ok", value];
  } catch (e: any) {
    return [e.code ?? "", e.message];
  }
};
`;

const pool: IslePool = createPool({ max: 4 });
after(() => pool.close());

export function pairs(table: readonly Pair[]): void {
  for (const pair of table) {
    test(pair.title, async () => {
      const [lua, ts] = await Promise.all([
        told(pair, `${LUA}${pair.lua}`, "test.lua"), told(pair, `${TS}${pair.ts}`, "test.ts"),
      ]);
      assert.deepEqual(ts, lua);
      // a pair that says nothing proves nothing
      assert.ok(lua.error !== undefined || lua.value !== null || lua.stdout !== "" || lua.events.length > 1, "says nothing");
    });
  }
}

interface Told {
  readonly value?: unknown;
  readonly outcome?: string;
  readonly exit_code?: number;
  readonly bus?: unknown;
  readonly warnings?: readonly string[];
  readonly error?: unknown;
  readonly driven?: unknown;
  readonly stdout: string;
  readonly events: readonly unknown[];
}

async function told(pair: Pair, source: string, name: string): Promise<Told> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "atoll-pair-")));
  for (const [file, text] of Object.entries(pair.files ?? {})) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const events: unknown[] = [];
  let stdout = "";
  const decoder = new TextDecoder();
  const run = startBlock({
    projectRoot: root, env: { PATH: process.env["PATH"] ?? "", HOME: root }, pool, kvPath: ":memory:", sqlPath: ":memory:",
    tsPath: ":memory:", stdout: (bytes) => void (stdout += decoder.decode(bytes, { stream: true })), ...pair.config,
    script: { source, name },
  });
  try {
    const heard = hear(run, events);
    const driven = await pair.drive?.(run);
    const ended = await run.result.then((result) => {
      const { value, outcome, exit_code, bus, warnings } = result;
      return { value, outcome, exit_code, bus, warnings };
    }, (error: unknown) => ({ error: plainError(error) }));
    await heard;
    return same({ ...ended, driven: driven ?? null, stdout, events }, root) as Told;
  } finally {
    await run[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  }
}

async function hear(run: StartedBlock, events: unknown[]): Promise<void> {
  for await (const event of run.events()) if (!isNoise(event)) events.push(event);
}

/** Which isle a line came from, and children's numbers, are no part of what a script does. */
function isNoise(event: BlockEvent): boolean {
  return event.name === "print" || (event.name === "log" && event.level === "debug");
}

function plainError(error: unknown): unknown {
  const { code, message, facts = {}, retry } = error as { code?: string; message: string; facts?: object; retry?: string };
  const { raised, value } = facts as { raised?: unknown; value?: unknown };
  // what is wrong with a program is said in the words of its language
  return { code, message: code === "script.syntax" ? "" : message, retry, raised, value };
}

const NOISE = new Set(["id", "pid", "duration_ms", "script", "isle", "bytes"]);

/** The same without what may differ. */
function same(value: unknown, root: string): unknown {
  if (typeof value === "string") return sameText(value, root);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return value.map((item) => same(item, root));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value)
    .filter(([key, item]) => !NOISE.has(key) && item !== undefined).map(([key, item]) => [key, same(item, root)]));
}

function sameText(text: string, root: string): string {
  return text.replaceAll(root, "<root>").replace(/127\.0\.0\.1:\d+/g, "<server>").split("\nstack traceback:")[0]?.replace(/test\.(lua|ts):[\d:]*:? ?/g, "")
    .replace(/\b(bus|mesh|fs|env|string|path|llm|kv|ts|sql|task|json|std)\.[a-zA-Z]+/g, toSnake) ?? "";
}

function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
