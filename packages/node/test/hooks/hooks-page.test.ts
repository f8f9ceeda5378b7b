/** `docs/hooks.md` says what the sources say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { toHookName } from "../../src/service/hooks.ts";

const read = (path: string): string => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");
const source = read("packages/node/src/hooks/report.ts");
const page = read("docs/hooks.md");

/** Fields by event, as the map of the sources has them. */
function fields(): ReadonlyMap<string, readonly string[]> {
  const namesOf = (text: string): readonly string[] => [...text.matchAll(/readonly (\w+)\??:/g)].map(([, name = ""]) => name);
  const body = /interface NodeEventMap \{\n([^]*?)\n\}/.exec(source)?.[1] ?? "";
  const peer = namesOf(/interface PeerFact \{([^]*?)\n\}/.exec(source)?.[1] ?? "");
  return new Map([...body.matchAll(/^ {2}(\w+): (PeerFact|Readonly<[^;]*|\{[^]*?\});/gm)].map(([, name = "", fact = ""]) =>
    [name, fact === "PeerFact" ? peer : namesOf(fact)]));
}

test("every event of a node has a row in docs/hooks.md with both its names and its fields", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| `(\w+)` \| (.*?)\|/gm)].map(([, hook, name, given = ""]) =>
    [hook, name, [...given.matchAll(/`(\w+)`/g)].map(([, field]) => field)]);
  const expected = [...fields()].map(([name, own]) => [toHookName(`on_${name}`), `on_${name}`, own]);
  assert.equal(expected.length, 16);
  assert.deepEqual(rows, expected);
});

test("every category of onError stands in docs/hooks.md", () => {
  const categories = /type ErrorCategory =([^]*?);/.exec(source)?.[1]?.match(/\w+_\w+/g) ?? [];
  assert.equal(categories.length, 8);
  const listed = page.slice(page.indexOf("Categories of `onError`")).match(/\w+_\w+/g);
  assert.deepEqual(listed, categories);
});
