/** One step of a walk, and how a page shows it. */

export interface Step {
  readonly iam: string;
  readonly room: string;
  readonly value: unknown;
  readonly refuses: string;
}

/** What is another one each time stands in <>: the rest is as it was. */
const MOVING: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]+@1\//g, "<serial>@1/"], [/\b([a-z])_[0-9A-HJKMNP-TV-Z]{26}\b/g, "$1_<ulid>"], [/\b00-[0-9a-f]{32}-[0-9a-f]{16}-01\b/g, "<traceparent>"],
  [/\b[0-9a-f]{64}\b/g, "<sha-256>"], [/\b[a-z2-7]{26}\b/g, "<hash>"], [/\b[0-9a-f-]{36}\b/g, "<uuid>"],
];
const TIMES = /(_ms|^leftMs|^fence|^seq|epoch|^cursor|^version|head)$/;

/** A number that changes with the libraries of the isle; the page says what it is. */
export const REF = "reference of the handler in its isle";

/** Times, places in the store and ids are named, not shown; bytes as their number. */
export function still(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (name, given: unknown) => {
    if (given === undefined) return undefined;
    if (name === "ref") return REF;
    if (name === "serial") return "<serial>";
    if (typeof given === "number" && TIMES.test(name)) return given === 0 ? 0 : `<${name}>`;
    if (given instanceof Uint8Array || isBuffer(given)) return "<bytes>";
    if (typeof given !== "string") return given;
    if (name === "epoch" || name === "id" && /-\d+$/.test(given) && !given.startsWith("question")) return `<${name}>`;
    const inner = given.startsWith("{") ? parsed(given) : undefined;
    if (inner !== undefined) return JSON.stringify(still(inner));
    return MOVING.reduce((text, [from, to]) => text.replaceAll(from, to), given);
  }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As `Buffer` says it to JSON. */
function isBuffer(given: unknown): boolean {
  return typeof given === "object" && given !== null && (given as { type?: unknown }).type === "Buffer";
}

export function renderSteps(steps: readonly Step[]): string {
  return steps.map((step, i) => [
    `### ${i + 1}. I am ${step.iam}`, "", `Room: \`packages/${step.room}\`. May refuse: ${step.refuses}.`, "", "```json",
    JSON.stringify(step.value, null, 2), "```", "",
  ].join("\n")).join("\n");
}
