/** The files tidy looks at, read once. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { readManifest, readWorkspaces, roomOf, type Manifest, type Workspace } from "../workspaces.ts";
import { readFacts, type Facts } from "./facts.ts";

export interface SourceFile {
  /** Path below the root, with forward slashes. */
  readonly path: string;
  readonly room: string;
  /** The package it belongs to; none for tools, test, bench and examples. */
  readonly owner: Workspace | undefined;
  /** Tests may import more, and doors of dependencies are not counted there. */
  readonly isTest: boolean;
  readonly text: string;
  /** Only for JavaScript and TypeScript. */
  readonly facts: Facts | undefined;
}

export interface Tree {
  readonly root: string;
  readonly manifest: Manifest;
  readonly workspaces: readonly Workspace[];
  readonly files: readonly SourceFile[];
  /** Of every file, read or not. */
  readonly paths: readonly string[];
}

/** One thing that is wrong, and what to do about it. A note never fails the run. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly what: string;
  readonly remedy: string;
  readonly note?: boolean;
}

export const TEST_ROOMS = new Set(["test", "bench", "examples"]);
const CODE = new Set([".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs"]);
const TEXT = new Set([...CODE, ".lua", ".json", ".md", ".toml", ".yaml", ".yml", ".html", ".css", ""]);
/** Made by npm, which writes down what it wants. */
const SKIPPED_FILES = new Set(["package-lock.json"]);

/**
 * Reads every text file of the repository but what is installed, built or hidden (`.ci` and the lint rules
 * are seen).
 */
export function readTree(root: string): Tree {
  const workspaces = readWorkspaces(root);
  const paths = listFiles(root, "", readIgnored(root));
  const files = paths.filter((path) => TEXT.has(extname(path))).map((path): SourceFile => {
    const text = readFileSync(join(root, path), "utf8");
    return {
      path, text, room: roomOf(path), isTest: isTest(path),
      owner: workspaces.find((one) => path.startsWith(`${one.dir}/`)),
      facts: CODE.has(extname(path)) ? readFacts(path, text) : undefined,
    };
  });
  return { root, manifest: readManifest(join(root, "package.json")), workspaces, files, paths };
}

/** Written by a tool from another file: not read by people, so doors and sizes are not counted there. */
export function isGenerated(path: string): boolean {
  return /\/generated\//.test(path);
}

export function isCode(path: string): boolean {
  return CODE.has(extname(path));
}

function isTest(path: string): boolean {
  return TEST_ROOMS.has(path.split("/")[0] ?? "") || /(^|\/)test\//.test(path) || /\.test\.\w+$/.test(path);
}

function listFiles(root: string, below: string, ignored: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const hidden = entry.name.startsWith(".") && path !== ".ci" && path !== ".oxlintrc.json";
    if (hidden || SKIPPED_FILES.has(entry.name)) continue;
    if (ignored.has(entry.name) || ignored.has(`/${path}`)) continue;
    if (entry.isDirectory()) found.push(...listFiles(root, path, ignored));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/**
 * The plain lines of .gitignore: a name anywhere, or `/path` from the root. What patterns with `*` hide is looked at
 * all the same.
 */
function readIgnored(root: string): ReadonlySet<string> {
  const file = join(root, ".gitignore");
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  const names = lines.map((line) => line.trim().replace(/\/$/, "")).filter((line) => line !== "");
  return new Set(["node_modules", ...names]);
}
