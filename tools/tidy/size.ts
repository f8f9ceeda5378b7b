/** A reader holds one file and one function in the head at a time. */
import { posix } from "node:path";
import { isCode, isGenerated, type Finding, type SourceFile, type Tree } from "./tree.ts";

const FILE_LINES_MAX = 500;
const FILE_LINES_LOOK_AGAIN = 300;
const FUNCTION_LINES_MAX = 70;
const PARAMS_MAX = 4;
const COLUMNS_LOOK_AGAIN = 110;
/** Names that say nothing: whatever is in there belongs to a room with a verb. */
const EMPTY_WORDS = new Set(["utils", "util", "helpers", "helper", "common", "misc"]);

export function checkSize(tree: Tree): readonly Finding[] {
  const read = tree.files.filter(({ path }) => !isGenerated(path) && (isCode(path) || path.endsWith(".lua")));
  return read.flatMap((file) => [
    ...checkFile(file), ...checkFunctions(file), ...checkShape(file),
  ]);
}

function checkFile(file: SourceFile): readonly Finding[] {
  const findings: Finding[] = [];
  const lines = file.text.replace(/\n$/, "").split("\n");
  if (lines.length > FILE_LINES_LOOK_AGAIN) {
    const tooLong = lines.length > FILE_LINES_MAX;
    const limit = tooLong ? `the limit is ${FILE_LINES_MAX}` : `look again from ${FILE_LINES_LOOK_AGAIN}`;
    findings.push({ file: file.path, line: lines.length, note: !tooLong,
      what: `${lines.length} lines, ${limit}`, remedy: "split it where it changes its subject" });
  }
  const wide = lines.findIndex((line) => line.length > COLUMNS_LOOK_AGAIN);
  if (wide >= 0) {
    const count = lines.filter((line) => line.length > COLUMNS_LOOK_AGAIN).length;
    findings.push({ file: file.path, line: wide + 1, note: true,
      what: `${count} lines over ${COLUMNS_LOOK_AGAIN} columns`,
      remedy: "break them" });
  }
  return findings;
}

function checkFunctions(file: SourceFile): readonly Finding[] {
  const functions = file.facts?.functions ?? [];
  const long = functions.filter(({ lines }) => lines > FUNCTION_LINES_MAX).map(({ name, line, lines }) => ({
    file: file.path, line, what: `function ${name} has ${lines} lines, the limit is ${FUNCTION_LINES_MAX}`,
    remedy: "give each of its steps a name and a function",
  }));
  const wide = functions.filter(({ params }) => params > PARAMS_MAX).map(({ name, line, params }) => ({
    file: file.path, line, what: `function ${name} has ${params} parameters, the limit is ${PARAMS_MAX}`,
    remedy: "take an object with named fields",
  }));
  return [...long, ...wide];
}

function checkShape(file: SourceFile): readonly Finding[] {
  const findings: Finding[] = [];
  const { dir, base } = posix.parse(file.path);
  const word = [...dir.split("/"), posix.parse(base).name].find((part) => EMPTY_WORDS.has(part));
  if (word) {
    findings.push({ file: file.path, line: 1, what: `the name "${word}" says nothing`,
      remedy: "name it by what it does" });
  }
  if (!file.owner || file.isTest || base !== "index.ts") return findings;
  if (dir !== `${file.owner.dir}/src`) {
    findings.push({ file: file.path, line: 1, what: "a barrel inside a package",
      remedy: "import the file that defines the thing" });
  } else {
    for (const line of file.facts?.topLevelCode.slice(0, 1) ?? []) {
      findings.push({ file: file.path, line, what: "code in a door", remedy: "index.ts only re-exports" });
    }
  }
  return findings;
}
