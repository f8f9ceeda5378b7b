/**
 * `npm run example:node`: a realm, a service in TypeScript and a block in Lua, each in a process of its own, and this
 * program as a third node. They find each other, ask and tell both ways and stream; the realm is killed meanwhile; a
 * message that cannot be handled ends as a dead letter and is handled after the fix.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createNode, json, route, service, streamRoute } from "@atoll-run/atoll/node";
import { Bank } from "./bank.ts";

const PROGRAM = fileURLToPath(new URL("../../packages/atoll/bin/main.ts", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
const BANK = "acme:bank:1.0.0";
const TELLER = "acme:teller:1.0.0";
const START_MS = 30_000;
/** Longer than a realm needs to come back, and a node to notice. */
const BACK_MS = 60_000;

/** What blocks ask by `mesh.request` is a route like any other. */
const Front = service({
  type: "acme:front:1.0.0", name: "atoll.block.v1",
  routes: { Mesh: route({ input: json<{ question: string }>(), output: json<{ answer: string }>() }) },
});
/** What the teller serves: a block has no types, its caller brings them. */
const Teller = service({
  type: TELLER, name: "teller.Teller",
  routes: {
    Greet: route({ input: json<{ name: string }>(), output: json<{ text: string; from: string }>() }),
    Remember: route({ input: json<{ name: string }>(), tell: true }),
  },
  streams: { Letters: streamRoute({ item: json<{ letter: string }>() }) },
});

const folder = mkdtempSync(join(tmpdir(), "atoll-example-"));
const children: ChildProcess[] = [];
/** Lines of the bank and the teller. */
const printed: string[] = [];
// Also when something is thrown where nobody waits for it.
process.once("exit", endChildren);
try {
  await main();
  console.log("\nthat was all: done");
} finally {
  endChildren();
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  layFiles();
  tell("a realm, a bank in TypeScript and a teller in Lua start, each a process of its own");
  const first = await startRealm({ listen: "0", admin: "0" });
  const port = { listen: new URL(first.url).port, admin: new URL(first.admin_url).port };
  const bank = await start("bank", ["node", "up", "bank.toml", "--realm", first.url]);
  const teller = await start("teller", ["node", "up", "teller.toml", "--realm", first.url]);
  console.log(`  realm   ${first.url}\n  bank    ${String(bank["id"])}\n  teller  ${String(teller["id"])}`);

  const mood = Front.implement({ Mesh: ({ question }) => ({ answer: question === "mood" ? "cheerful" : "puzzled" }) });
  await using me = await createNode({
    name: "front", dir: join(folder, "front"), realm: { url: first.url },
    acl: [{ effect: "allow", from: { type: "acme:*:*", realm: "self" }, actions: ["*"] }],
  }).link(mood).start();

  tell("they find each other by type, and ask");
  const found = await me.discover(BANK);
  console.log(`  found ${found[0]?.id ?? "nobody"}`);
  const receipt = await me.call(Bank.routes.Charge, { account: "ada", amount: 3 }, { to: BANK, requestId: "charge-1" });
  console.log(`  charged: the total is ${receipt.total}`);
  const again = await me.call(Bank.routes.Charge, { account: "ada", amount: 3 }, { to: BANK, requestId: "charge-1" });
  console.log(`  asked again under the same id: the total is still ${again.total}`);

  tell("the block in Lua is asked, asks back, and tells the bank");
  const greeting = await me.call(Teller.routes.Greet, { name: "ada" }, { to: TELLER });
  console.log(`  ${greeting.text}`);
  await until(() => noted("ada was here"), "the bank notes what the teller tells");

  tell("the bank is not the only one that is told: so is the block, which reads a stream as well");
  await me.tell(Teller.routes.Remember, { name: "ada" }, { to: TELLER });
  await until(() => noted("teller: remembers ada"), "the block has it");
  const letters = await me.openStream(TELLER, Teller.streams.Letters);
  for (const letter of "atoll") await letters.write({ letter });
  await letters.end();
  await until(() => noted("teller: read atoll"), "the block has read all letters");

  tell("a stream of 1,000 lines, at the pace of its reader");
  const audit = await me.openStream(BANK, Bank.streams.Audit);
  for (let line = 1; line <= 1_000; line++) await audit.write({ line });
  await audit.end();
  await until(() => noted("audited, the sum of all lines is 500500"), "the bank has read all lines");

  tell("the realm is killed; links stay, and nobody notices");
  await kill(first.child);
  const meanwhile = await me.call(Bank.routes.Charge, { account: "ada", amount: 4 }, { to: BANK });
  console.log(`  charged without a realm: the total is ${meanwhile.total}`);
  await startRealm(port);
  await until(async () => (await me.discover(TELLER).catch(() => [])).length > 0, "the nodes are back in the new realm", BACK_MS);

  tell("a poisoned note: two attempts, then a dead letter");
  await me.tell(Bank.routes.Note, { text: "poison" }, { to: BANK });
  await until(() => atoll("dlq", "stats").includes("handler_failed"), "it is a dead letter");
  console.log(indent(atoll("dlq", "list")));
  writeFileSync(join(folder, "fixed"), "");
  console.log(indent(atoll("dlq", "redrive", "--reason", "handler_failed")));
  await until(() => noted("noted \"poison\""), "after the fix the bank has handled it");
  await until(() => atoll("dlq", "list").includes("there are no dead letters"), "and no dead letter is left");
}

// ---- processes

function noted(text: string): boolean {
  return printed.some((line) => line.includes(text));
}

interface RealmUp {
  readonly url: string;
  readonly admin_url: string;
  readonly child: ChildProcess;
}

async function startRealm({ listen, admin }: { readonly listen: string; readonly admin: string }): Promise<RealmUp> {
  const up = await start("realm", ["realm", "up", "--state", join(folder, "realm"), "--listen", listen, "--admin", admin]);
  return { url: String(up["url"]), admin_url: String(up["admin_url"]), child: children.at(-1) as ChildProcess };
}

/** Starts a command that lasts; gives the line in which it says that it is up. */
function start(name: string, args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const child = spawn(process.execPath, [PROGRAM, ...args, "--json", "--log", "warn"], {
    cwd: folder, stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} did not start in ${START_MS} ms`)), START_MS);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code ?? "a signal"}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!line.startsWith("{")) {
        printed.push(line);
        console.log(`  ${line}`);
        return;
      }
      clearTimeout(late);
      resolve(JSON.parse(line) as Record<string, unknown>);
    });
  });
}

function endChildren(): void {
  for (const child of children) child.kill("SIGKILL");
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** What a command says of the bank, which runs. */
function atoll(...args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, ...args, "--config", "bank.toml"], {
    cwd: folder, encoding: "utf8", timeout: START_MS,
  });
  if (status !== 0) throw new Error(`atoll ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** The nodes' files in a folder of their own; the bank's packages are those of this repository. */
function layFiles(): void {
  mkdirSync(join(folder, "front"));
  for (const file of ["bank.toml", "teller.toml", "teller.lua"]) copyFileSync(join(HERE, file), join(folder, file));
  const entry = `export { default } from ${JSON.stringify(new URL("./bank.ts", import.meta.url).href)};\n`;
  writeFileSync(join(folder, "bank.ts"), entry);
  for (const name of ["bank", "teller"]) {
    writeFileSync(join(folder, `${name}.toml`), `\n[state]\ndir = ".atoll/${name}"\n`, { flag: "a" });
  }
}

// ---- the story

function tell(text: string): void {
  console.log(`\n${text}`);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}

async function until(is: () => boolean | Promise<boolean>, what: string, withinMs = START_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!await is()) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log(`  ${what}`);
}
