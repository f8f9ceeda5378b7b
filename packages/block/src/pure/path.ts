/**
 * `std.path`: paths as text, by the rules of POSIX on every system. Nothing here looks at a disk. Takes
 * strings, or bytes where a name is not UTF-8; gives nil (undefined) where there is no such part; a dot
 * segment counts only as the first one, repeated and trailing slashes do not count.
 */
import type { Value } from "../bridges/op.ts";
import { argumentError, type PureFn, type PureFns } from "./pure-fn.ts";
import { toUnits, type Text } from "./text.ts";

export const pathFns: PureFns = {
  join: { args: ["parts:any..."], call: join },
  parent: ofPath(parent),
  filename: ofPath(fileName),
  stem: ofPath((path) => splitName(path)?.stem),
  ext: ofPath((path) => splitName(path)?.ext),
  is_absolute: { args: ["p:string"], call: ([p]) => toUnits([p]).texts[0]?.startsWith("/") ?? false },
};

/** What `path.join` says of an argument number `n` (from 1) of a wrong type: not the general text. */
export function joinArgumentText(n: number, got: string): string {
  return `path.join: argument ${n} must be a string, got ${got}`;
}

function ofPath(part: (path: string) => string | undefined): PureFn {
  return {
    args: ["p:string"],
    call: ([p]): Text | undefined => {
      const { texts: [path = ""], back } = toUnits([p]);
      const found = part(path);
      return found === undefined ? undefined : back(found);
    },
  };
}

function join(parts: readonly Value[]): Value {
  for (const [index, part] of parts.entries()) {
    if (typeof part === "string" || part instanceof Uint8Array) continue;
    throw argumentError(joinArgumentText(index + 1, nameOf(part)));
  }
  const { texts, back } = toUnits(parts);
  return back(texts.reduce((path, part) => part.startsWith("/") ? part : path + slashAfter(path) + part, ""));
}

function slashAfter(path: string): string {
  return path === "" || path.endsWith("/") ? "" : "/";
}

/** Type of a value as a script calls it. */
function nameOf(value: Value): string {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "bigint") return "number";
  return typeof value === "object" ? "table" : typeof value;
}

/** Where the last counting segment of a path lies, without slashes and idle dots behind it. */
function lastSegment(path: string): { readonly start: number; readonly end: number } | undefined {
  let end = path.length;
  while (end > 0) {
    const start = path.lastIndexOf("/", end - 1) + 1;
    const name = path.slice(start, end);
    if (name !== "" && !(name === "." && start > 0)) return { start, end };
    end = Math.max(0, start - 1);
  }
  return undefined;
}

/** The path without its last segment: "" for a lone name, undefined for the root and for an empty path. */
function parent(path: string): string | undefined {
  const last = lastSegment(path);
  if (last === undefined) return undefined;
  const before = path.slice(0, last.start);
  const end = lastSegment(before)?.end;
  return end === undefined ? before.slice(0, 1) : before.slice(0, end);
}

/** The last segment, unless it is a dot or two dots. */
function fileName(path: string): string | undefined {
  const last = lastSegment(path);
  if (last === undefined) return undefined;
  const name = path.slice(last.start, last.end);
  return name === "." || name === ".." ? undefined : name;
}

/** The name around its last dot; a dot in front makes no extension. */
function splitName(path: string): { readonly stem: string; readonly ext?: string } | undefined {
  const name = fileName(path);
  if (name === undefined) return undefined;
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? { stem: name } : { stem: name.slice(0, dot), ext: name.slice(dot + 1) };
}
