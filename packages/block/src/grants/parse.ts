/**
 * Reading a grant list (spec: block 8.2). Foreign input: the answer is a value, with all problems at once.
 */
import { readNetPattern, type NetPattern } from "./net.ts";

/** A checked grant list. `undefined` inside a list of patterns is the verb alone: everything. */
export interface Grants {
  /** As written, in order. */
  readonly texts: readonly string[];
  readonly net: readonly NetPattern[];
  readonly run: readonly (string | undefined)[];
  readonly read: readonly (string | undefined)[];
  readonly write: readonly (string | undefined)[];
  readonly env: readonly (string | undefined)[];
  readonly mcp: readonly { readonly server: string; readonly tool: string }[];
  readonly mesh: readonly (string | undefined)[];
  /** Functions of bridges that the host gives. */
  readonly given: readonly { readonly bridge: string; readonly verb: string | undefined }[];
  readonly secret: readonly (string | undefined)[];
  /** True when `runAgent` may reach its provider's configured host. */
  readonly model: boolean;
  /** The list of the parent block: what it does not allow stays denied. */
  readonly within?: Grants;
}

export type GrantsResult =
  | { readonly ok: true; readonly grants: Grants }
  | { readonly ok: false; readonly problems: readonly string[] };

type Mutable = { -readonly [K in keyof Grants]: Grants[K] extends readonly (infer T)[] ? T[] : Grants[K] };

/** Takes the part after the colon (undefined: none). Gives a problem, or undefined after noting the grant. */
type Reader = (into: Mutable, pattern: string | undefined) => string | undefined;

const ENV_PROBLEM = "is not a variable name; `*` may stand only at its end (PREFIX_*)";

const READERS: Readonly<Record<string, Reader>> = {
  net(into, pattern) {
    const read = readNetPattern(pattern);
    if (typeof read === "string") return read;
    into.net.push(read);
    return undefined;
  },
  run: (into, pattern) => keep(into.run, pattern, (text) => {
    if (text.startsWith("/")) return undefined;
    if (/\s/.test(text)) return "holds a space; name one program, or grant run:sh for shell text";
    return text.includes("/") ? "is a relative path; name the program or its absolute path" : undefined;
  }),
  "fs.read": (into, pattern) => keep(into.read, pattern, pathProblem),
  "fs.write": (into, pattern) => keep(into.write, pattern, pathProblem),
  env: (into, pattern) => keep(into.env, pattern === "*" ? undefined : pattern, (text) =>
    /^[^\s=*]+\*?$/.test(text) ? undefined : ENV_PROBLEM),
  mcp(into, pattern) {
    const [server, tool, more] = (pattern ?? "*/*").split("/");
    if (server === undefined || tool === undefined || more !== undefined || server === "" || tool === "") {
      return "is not <server>/<tool>; write * for all of either";
    }
    if (/^!(?!sampling$|elicitation$)/.test(tool)) return "withholds only !sampling or !elicitation";
    into.mcp.push({ server, tool });
    return undefined;
  },
  mesh: (into, pattern) => keep(into.mesh, pattern === "*" ? undefined : pattern, (text) =>
    /[\s*]/.test(text) ? "is not an id; name one, or * for all" : undefined),
  mob(into, pattern) {
    if (pattern !== undefined && !/^[a-z_]+$/.test(pattern)) return "is not a function of the mob; name its first word, or leave it out for all";
    into.given.push({ bridge: "mob", verb: pattern });
    return undefined;
  },
  secret: (into, pattern) => keep(into.secret, pattern, (text) =>
    /^[^\s=*]+$/.test(text) ? undefined : "is not a variable name; name each variable"),
  model(into, pattern) {
    into.model = true;
    return pattern === undefined ? undefined : "takes no pattern";
  },
};

/** What a grant may begin with. */
export const GRANT_VERBS: readonly string[] = Object.keys(READERS);

function keep(
  list: (string | undefined)[], pattern: string | undefined, problem: (text: string) => string | undefined,
): string | undefined {
  const found = pattern === undefined ? undefined : problem(pattern);
  if (found === undefined) list.push(pattern);
  return found;
}

function pathProblem(text: string): string | undefined {
  if (text.includes("\0")) return "holds a NUL byte";
  if (text.startsWith("~")) return "begins with ~, which only a shell expands; write the whole path";
  if (/^[^/]*[*?[]/.test(text)) return "is a glob without a root; write ./* or an absolute path";
  if (/\[[^\]]*$/.test(text)) return "holds a [ without its ]";
  return undefined;
}

/**
 * Reads a list of grants `verb` or `verb:pattern`; relative paths stay relative until a gate compiles them.
 */
export function parseGrants(list: readonly string[]): GrantsResult {
  const into: Mutable = {
    texts: [], net: [], run: [], read: [], write: [], env: [], mcp: [], mesh: [], given: [], secret: [], model: false,
  };
  const problems: string[] = [];
  for (const text of list) {
    const problem = readGrant(into, text);
    if (problem !== undefined) problems.push(`grant ${JSON.stringify(text)} ${problem}`);
    else into.texts.push(text);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, grants: into };
}

function readGrant(into: Mutable, text: unknown): string | undefined {
  if (typeof text !== "string") return "is not text";
  const at = text.indexOf(":");
  const verb = at < 0 ? text : text.slice(0, at);
  const pattern = at < 0 ? undefined : text.slice(at + 1);
  const reader = Object.hasOwn(READERS, verb) ? READERS[verb] : undefined;
  if (reader === undefined) return `has the unknown verb "${verb}"; known are ${GRANT_VERBS.join(", ")}`;
  if (pattern === "") return `has nothing after the colon; write ${verb} for everything`;
  return reader(into, pattern);
}

/** True when the list restricts: `secret:` grants alone do not (spec: block 3). */
export function isRestricting(grants: Grants): boolean {
  return grants.texts.some((text) => !/^secret(:|$)/.test(text));
}

/**
 * The list of a child block: it allows what both lists allow, so it can narrow its parent's and never widen
 * it.
 */
export function narrow(parent: "all" | Grants, child: Grants): Grants {
  if (parent === "all") return child;
  return { ...child, within: child.within === undefined ? parent : narrow(parent, child.within) };
}
