/** What tidy must know of one source file, read from its syntax tree in one walk. */
import { parseSource, type Node } from "../rolldown.ts";

export interface ImportFact {
  readonly specifier: string;
  readonly line: number;
  /** True when nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** `new URL("./x.lua", import.meta.url)` or `` new URL(`./x${ext}`, import.meta.url) ``. */
export interface UrlFact {
  /** The text before the first `${}`; the whole text when there is none. */
  readonly prefix: string;
  /** True when the text has no `${}`. */
  readonly whole: boolean;
  /** Text after the last `${}`. */
  readonly suffix: string;
  readonly line: number;
  /** Where the prefix stands in the file, without its quotes. */
  readonly start: number;
}

export interface FunctionFact {
  readonly name: string;
  readonly line: number;
  /** Lines from the first to the last, less those of test callbacks inside. */
  readonly lines: number;
  readonly params: number;
}

export interface LineFact { readonly line: number; readonly text: string }

export interface Facts {
  readonly syntaxErrors: readonly LineFact[];
  readonly imports: readonly ImportFact[];
  readonly urls: readonly UrlFact[];
  readonly functions: readonly FunctionFact[];
  readonly comments: readonly LineFact[];
  readonly onlyCalls: readonly number[];
  readonly debuggers: readonly number[];
  readonly consoleCalls: readonly LineFact[];
  /** Lines at the top level that do more than import and export. */
  readonly topLevelCode: readonly number[];
  readonly strings: ReadonlySet<string>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };
type Notes = Mutable<Omit<Facts, "strings">> & { strings: Set<string> };

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const TEST_CALLS = new Set(["describe", "suite", "test", "it"]);
const RE_EXPORTS = new Set(["ImportDeclaration", "ExportAllDeclaration", "ExportNamedDeclaration"]);

/** Reads the facts of one file; a file with a syntax error has little more than that error. */
export function readFacts(file: string, text: string): Facts {
  const { program, comments, errors } = parseSource(file, text);
  const lineAt = lineCounter(text);
  const notes: Notes = {
    syntaxErrors: errors.map((error) => ({ line: lineAt(error.start), text: error.message })),
    comments: comments.flatMap((comment) => comment.value.split("\n")
      .map((part, index) => ({ line: lineAt(comment.start) + index, text: part }))),
    imports: [], urls: [], functions: [], onlyCalls: [], debuggers: [], consoleCalls: [], topLevelCode: [],
    strings: new Set(),
  };
  for (const node of nodesOf(program["body"])) {
    if (!RE_EXPORTS.has(node.type) || node["declaration"]) notes.topLevelCode.push(lineAt(node.start));
  }
  new Walk(notes, lineAt).into(program, { name: "", inTestCall: false });
  return notes;
}

interface Place {
  /** The name that a function found here would be called by. */
  readonly name: string;
  readonly inTestCall: boolean;
}

class Walk {
  readonly #notes: Notes;
  readonly #lineAt: (offset: number) => number;
  /** Lines of test callbacks already seen inside the function being walked. */
  #testLines = 0;

  constructor(notes: Notes, lineAt: (offset: number) => number) {
    this.#notes = notes;
    this.#lineAt = lineAt;
  }

  into(node: Node, place: Place): void {
    if (FUNCTIONS.has(node.type)) return this.#function(node, place);
    this.#note(node);
    const name = nameGivenBy(node) ?? place.name;
    const inTestCall = node.type === "CallExpression" && isTestCall(node);
    for (const child of childrenOf(node)) this.into(child, { name, inTestCall });
  }

  #function(node: Node, place: Place): void {
    const outer = this.#testLines;
    this.#testLines = 0;
    const name = nameGivenBy(node) ?? place.name;
    for (const child of childrenOf(node)) this.into(child, { name: "", inTestCall: false });
    const line = this.#lineAt(node.start);
    const whole = this.#lineAt(node.end) - line + 1;
    this.#notes.functions.push({ name: name || "(no name)", line, lines: whole - this.#testLines,
      params: countParams(node) });
    this.#testLines = outer + (place.inTestCall ? whole : this.#testLines);
  }

  #note(node: Node): void {
    const line = this.#lineAt(node.start);
    const notes = this.#notes;
    if (node.type === "DebuggerStatement") notes.debuggers.push(line);
    if (node.type === "Literal" && typeof node["value"] === "string") notes.strings.add(node["value"]);
    const imported = importOf(node);
    if (imported) notes.imports.push({ ...imported, line });
    notes.urls.push(...urlsOf(node).map((url) => ({ ...url, line })));
    if (node.type !== "CallExpression") return;
    const callee = node["callee"] as Node;
    if (callee.type !== "MemberExpression") return;
    const method = textOf(callee["property"] as Node);
    if (TEST_CALLS.has(calleeRoot(node)) && method === "only") notes.onlyCalls.push(line);
    if (textOf(callee["object"] as Node) !== "console") return;
    notes.consoleCalls.push({ line, text: `console.${method}` });
  }
}

function importOf(node: Node): Omit<ImportFact, "line"> | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return { specifier: stringOf(node["source"]) ?? "", typeOnly: node["importKind"] === "type" };
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration": {
      const specifier = stringOf(node["source"]);
      return specifier === undefined ? undefined : { specifier, typeOnly: node["exportKind"] === "type" };
    }
    case "ImportExpression": {
      const specifier = stringOf(node["source"]);
      return specifier === undefined ? undefined : { specifier, typeOnly: false };
    }
    case "TSImportType": {
      const specifier = stringOf(node["source"]) ?? stringOf(node["argument"]);
      return specifier === undefined ? undefined : { specifier, typeOnly: true };
    }
    case "CallExpression": {
      const callee = node["callee"] as Node;
      const called = callee.type === "MemberExpression" ? textOf(callee["property"] as Node) : textOf(callee);
      const specifier = stringOf(nodesOf(node["arguments"])[0]);
      const resolves = called === "require"
        || (called === "resolve" && textOf(callee["object"] as Node) !== "path");
      if (!resolves || specifier === undefined || !isBare(specifier)) return undefined;
      return { specifier, typeOnly: false };
    }
    default: return undefined;
  }
}

/** A package name, as far as its look tells: `path.resolve` and `Promise.resolve` take other texts. */
function isBare(specifier: string): boolean {
  return /^(@[a-z0-9-]+\/)?[a-z0-9][a-z0-9.-]*(\/[\w./-]+)?$/.test(specifier);
}

function urlsOf(node: Node): readonly Omit<UrlFact, "line">[] {
  if (node.type !== "NewExpression" || textOf(node["callee"] as Node) !== "URL") return [];
  const [path, base] = nodesOf(node["arguments"]);
  return path && isImportMetaUrl(base) ? pathsOf(path) : [];
}

/** `"./x"`, `` `./x${ext}` ``, `"./x" + ext`, and each side of `a ? "./x" : "./y"`. */
function pathsOf(path: Node): readonly Omit<UrlFact, "line">[] {
  const start = path.start + 1;
  const text = stringOf(path);
  if (text !== undefined) return [{ prefix: text, suffix: "", whole: true, start }];
  if (path.type === "ConditionalExpression") {
    return [...pathsOf(path["consequent"] as Node), ...pathsOf(path["alternate"] as Node)];
  }
  if (path.type === "BinaryExpression") {
    const prefix = stringOf(path["left"]);
    const suffix = stringOf(path["right"]) ?? "";
    return prefix === undefined ? [] : [{ prefix, suffix, whole: false, start }];
  }
  if (path.type !== "TemplateLiteral") return [];
  const parts = nodesOf(path["quasis"]).map((quasi) => (quasi["value"] as { cooked: string }).cooked);
  return [{ prefix: parts[0] ?? "", suffix: parts.at(-1) ?? "", whole: parts.length === 1, start }];
}

function isImportMetaUrl(node: Node | undefined): boolean {
  return node?.type === "MemberExpression" && textOf(node["property"] as Node) === "url"
    && (node["object"] as Node).type === "MetaProperty";
}

/** Positional parameters; TypeScript's `this` is none. */
function countParams(node: Node): number {
  return nodesOf(node["params"]).filter((param) => textOf(param) !== "this").length;
}

function nameGivenBy(node: Node): string | undefined {
  for (const field of ["id", "key"]) {
    const name = textOf(node[field] as Node | undefined);
    if (name) return name;
  }
  return undefined;
}

/** `test(…)`, `describe.skip(…)`, and `t.test(…)` inside a test. */
function isTestCall(call: Node): boolean {
  const callee = call["callee"] as Node;
  return TEST_CALLS.has(calleeRoot(call))
    || (callee.type === "MemberExpression" && TEST_CALLS.has(textOf(callee["property"] as Node)));
}

/** `test` of `test(…)`, `test.only(…)`, `describe.skip(…)`. */
function calleeRoot(call: Node): string {
  let callee = call["callee"] as Node;
  while (callee.type === "MemberExpression") callee = callee["object"] as Node;
  return textOf(callee);
}

function textOf(node: Node | undefined): string {
  const named = node?.type === "Identifier" || node?.type === "PrivateIdentifier";
  return named ? String(node["name"]) : "";
}

function stringOf(node: unknown): string | undefined {
  const { type, value, literal } = (node ?? {}) as { type?: string; value?: unknown; literal?: unknown };
  if (type === "TSLiteralType") return stringOf(literal);
  return type === "Literal" && typeof value === "string" ? value : undefined;
}

function nodesOf(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [];
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap(nodesOf);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null
    && typeof (value as { type?: unknown }).type === "string";
}

/** Gives the 1-based line of an offset. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle; else high = middle - 1;
    }
    return low + 1;
  };
}
