/** `docs/errors.md` and `docs/events.md` say what the sources say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type BlockCode, blockError } from "@atoll-run/block";
import { Fault, isNodeCode, LOCAL_NODE_FAULTS, NODE_FAULTS, nodeError } from "@atoll-run/core";
import { mobError, type MobCode } from "@atoll-run/mob";
import { MOB_CODES } from "@atoll-run/mob/internal";
import { EXIT, toExitCode } from "../../bin/exit.ts";

const ROOT = new URL("../../../../", import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

/** Cells of the rows whose first cell is a word in backticks. */
function rows(page: string): string[][] {
  return page.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.slice(2, -2).split(/ \| /).map((cell) => cell.trim()));
}

function codesIn(source: string, type: string): string[] {
  const union = new RegExp(`export type ${type} =([^;]*);`).exec(
    source.replace(/readonly facts: \{[^}]*\} \}/g, ""))?.[1] ?? "";
  return [...union.matchAll(/"([a-z]+\.[a-z_]+)"/g)].map(([, code]) => code as string);
}

const blockCodes = codesIn(read("packages/block/src/errors.ts"), "BlockCode");
const coreCodes = [...read("packages/core/src/core-fault.ts").matchAll(/readonly code: "([a-z._]+)"/g)]
  .map(([, code]) => code as string);
const nodeCodes = [...Object.keys(NODE_FAULTS), ...Object.keys(LOCAL_NODE_FAULTS)];
const otherCodes = ["packages/core/src/state-fault.ts", "packages/realm/src/errors.ts"].flatMap((path) =>
  [...read(path).matchAll(/readonly code: "([a-z._]+)"/g)].map(([, code]) => code as string));
const mobCodes = Object.keys(MOB_CODES);
const clientCodes = [...new Set([...read("packages/client/src/client-error.ts").matchAll(/"(client\.[a-z_]+)"/g)].map(([, code]) => code as string))];
const page = rows(read("docs/errors.md"));

test("every code has one row in docs/errors.md, and no row has a code that is none", () => {
  assert.ok(blockCodes.length > 50, `found ${blockCodes.length} codes`);
  const named = page.map(([code]) => code?.replaceAll("`", ""));
  assert.deepEqual(named.toSorted(), [...blockCodes, ...coreCodes, ...nodeCodes, ...otherCodes, ...mobCodes, ...clientCodes].sort());
});

for (const [code = "", text, retry, exit, advice] of page) {
  const name = code.replaceAll("`", "");
  test(`docs/errors.md tells text, retry, exit and what to do of ${name}`, () => {
    assert.match(text ?? "", /\S/);
    assert.match(advice ?? "", /^[A-Z].*\.$/);
    const fault = blockCodes.includes(name) ? blockError(name as BlockCode, "x")
      : mobCodes.includes(name) ? mobError(name as MobCode, "x") : isNodeCode(name) ? nodeError(name, "x") : undefined;
    if (fault !== undefined) assert.equal(retry, fault.retry);
    const code = toExitCode(fault ?? new Fault({ code: name, text: "x" }), { signal: 100 });
    assert.equal(exit, code === EXIT.signal + 100 ? "128+n" : String(code));
  });
}

test("a bug of ours exits with 70, and a cancel without a signal as SIGINT would", () => {
  assert.equal(toExitCode(new TypeError("x")), 70);
  assert.equal(toExitCode(blockError("run.cancelled", "cancelled")), 130);
});

test("every event of a run has a row in docs/events.md with its fields", () => {
  const types = /export interface BlockEvents \{([^]*?)\n\}/.exec(read("packages/block/src/config.ts"))?.[1]
    ?? "";
  const events = [...types.matchAll(/^\s*"([a-z:]+)":([^]*?)\};/gm)].map(([, name, fields]) =>
    [name, [...(fields as string).matchAll(/readonly (\w+)\??:/g)]
      .map(([, field]) => `\`${field}\``).join(", ")]);
  assert.ok(events.length >= 13);
  assert.deepEqual(rows(read("docs/events.md"))
    .map(([name = "", fields]) => [name.replaceAll("`", ""), fields]), events);
});
