/**
 * Glob patterns of `std.fs.glob`. Takes a pattern; gives a matcher over paths written the same way (both
 * relative or both absolute); promises time that grows with path times pattern, whatever the pattern;
 * refuses an unclosed `[`; never looks at a disk.
 *
 * `*` any characters but `/`; `?` one character but `/`; `[ab]`, `[a-z]`, `[!a]` or `[^a]` one of (not)
 * these; `**` as a whole segment any number of directories, at the end everything below. A dot in front is
 * a character like others.
 */
import { argumentError } from "./pure-fn.ts";

export interface Glob {
  /** The deepest directory named without a wildcard, where a walk starts: "" for here, "/" for the root. */
  readonly base: string;
  /** Is this path one that the pattern means? */
  matches(path: string): boolean;
  /** Can there be such a path below this directory? A walk goes in only then. */
  mayHold(dir: string): boolean;
}

/** One character of a segment, or `"*"` for any number of them. */
type Token = "*" | ((char: string) => boolean);
type Segment = "**" | readonly Token[];

/** Throws `script.argument` when a `[` is not closed. */
export function toGlob(pattern: string): Glob {
  const absolute = pattern.startsWith("/");
  const names = toSegments(pattern);
  const segments = names.map((name): Segment => name === "**" ? "**" : toTokens(name, pattern));
  const literal = names.slice(0, -1).findIndex((name) => /[*?[]/.test(name));
  const fixed = literal < 0 ? names.slice(0, -1) : names.slice(0, literal);
  const sameRoot = (path: string): boolean => path.startsWith("/") === absolute;
  return {
    base: (absolute ? "/" : "") + fixed.join("/"),
    matches: (path) => sameRoot(path) && states(segments, toSegments(path)).has(segments.length),
    mayHold: (dir) => sameRoot(dir)
      && [...states(segments, toSegments(dir))].some((state) => state < segments.length),
  };
}

function toSegments(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/**
 * Positions in the pattern where one can be after these names: the automaton of the pattern, run as a set.
 */
function states(segments: readonly Segment[], names: readonly string[]): ReadonlySet<number> {
  let now = closure(segments, new Set([0]));
  for (const name of names) {
    const next = new Set<number>();
    for (const state of now) {
      const segment = segments[state];
      if (segment === undefined) continue;
      if (segment !== "**") {
        if (matchesName(segment, [...name])) next.add(state + 1);
      } else {
        next.add(state);
        if (state === segments.length - 1) next.add(state + 1);
      }
    }
    now = closure(segments, next);
  }
  return now;
}

/** A `**` may stand for no directory at all, but not at the end: `a/**` is what lies below `a`. */
function closure(segments: readonly Segment[], states: Set<number>): ReadonlySet<number> {
  for (const state of states) {
    if (segments[state] === "**" && state < segments.length - 1) states.add(state + 1);
  }
  return states;
}

/** Goes back only to the last `*`, so the time is at most name times pattern. */
function matchesName(tokens: readonly Token[], chars: readonly string[]): boolean {
  let token = 0;
  let char = 0;
  let star = -1;
  let starChar = 0;
  while (char < chars.length) {
    const test = tokens[token];
    if (test === "*") {
      star = token;
      starChar = char;
      token += 1;
    } else if (test?.(chars[char] ?? "") === true) {
      token += 1;
      char += 1;
    } else if (star >= 0) {
      starChar += 1;
      char = starChar;
      token = star + 1;
    } else {
      return false;
    }
  }
  while (tokens[token] === "*") token += 1;
  return token === tokens.length;
}

function toTokens(name: string, pattern: string): readonly Token[] {
  const chars = [...name];
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at];
    if (char === "*") {
      if (tokens.at(-1) !== "*") tokens.push("*");
    } else if (char === "?") {
      tokens.push(() => true);
    } else if (char === "[") {
      const end = classEnd(chars, at);
      if (end < 0) throw argumentError(`fs.glob: invalid pattern '${pattern}': '[' without ']'`);
      tokens.push(toClass(chars.slice(at + 1, end)));
      at = end;
    } else {
      tokens.push((other) => other === char);
    }
  }
  return tokens;
}

/** Where the `]` of the class is; one right behind the opening is a member of it. */
function classEnd(chars: readonly string[], start: number): number {
  const first = start + (chars[start + 1] === "!" || chars[start + 1] === "^" ? 2 : 1);
  return chars.indexOf("]", first + 1);
}

function toClass(chars: readonly string[]): Token {
  const negated = chars[0] === "!" || chars[0] === "^";
  const members = negated ? chars.slice(1) : chars;
  const ranges: (readonly [number, number])[] = [];
  for (let at = 0; at < members.length; at += 1) {
    const low = code(members[at]);
    const isRange = members[at + 1] === "-" && at + 2 < members.length;
    ranges.push([low, isRange ? code(members[at + 2]) : low]);
    if (isRange) at += 2;
  }
  return (char) => ranges.some(([low, high]) => code(char) >= low && code(char) <= high) !== negated;
}

function code(char: string | undefined): number {
  return char?.codePointAt(0) ?? -1;
}
