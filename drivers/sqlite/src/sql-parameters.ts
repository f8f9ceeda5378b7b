/** Where values go in a statement. node:sqlite binds `?` and `?3` by position, but `:name` only by name. */

/** Name of each position: `:a`, `@a`, `$a`; undefined = bound by position. */
export type ParameterNames = readonly (string | undefined)[];

const NONE: ParameterNames = [];
const POSITION_MAX = 32_766;
const NAME = String.raw`[\w$\u0080-\uffff]+`;
/** Quoted text and names (closed or not), comments, then parameters, then words, so that `a$1` is a word. */
const NEXT = new RegExp([
  `'[^']*'?`, `"[^"]*"?`, "`[^`]*`?", String.raw`\[[^\]]*\]?`, String.raw`--[^\n]*`,
  String.raw`/\*[^]*?(?:\*/|$)`, String.raw`\?\d*`, `[:@$]${NAME}`, NAME,
].join("|"), "g");
const BLANK = /(?:[\s;]|--[^\n]*(?:\n|$)|\/\*[^]*?(?:\*\/|$))*/y;

/** The parameters of one statement as SQLite numbers them. */
export function parameterNames(sql: string): ParameterNames {
  if (!/[?:@$]/.test(sql)) return NONE;
  const names: (string | undefined)[] = [];
  const known = new Set<string>();
  for (const [token] of sql.matchAll(NEXT)) {
    if (token === "?") names.push(undefined);
    else if (token.startsWith("?")) {
      const position = Math.min(Number(token.slice(1)), POSITION_MAX);
      while (names.length < position) names.push(undefined);
    } else if (/^[:@$]/.test(token) && !known.has(token)) {
      known.add(token);
      names.push(token);
    }
  }
  return names;
}

/** Nothing but space, `;` and comments. */
export function isBlankSql(sql: string): boolean {
  BLANK.lastIndex = 0;
  BLANK.test(sql);
  return BLANK.lastIndex === sql.length;
}
