/** Topics of a stream: what somebody wants to hear (spec: mob 11.6). Pure. */
import { mobError } from "../errors.ts";
import type { Entry, EntryClass, Live } from "../ledger/entry.ts";

export const TOPICS = ["entries", "structural", "turns", "approvals", "errors", "run:<id>", "member:<id>", "live:<id>"] as const;
const TOPICS_MAX = 32;

const OF_CLASS: Readonly<Partial<Record<EntryClass, string>>> = { structural: "structural", turn: "turns", approval: "approvals", error: "errors" };
const PLAIN: ReadonlySet<string> = new Set(["entries", ...Object.values(OF_CLASS)]);
const WITH_ID: ReadonlySet<string> = new Set(["run", "member", "live"]);

/** Sorted, each once. Throws `mob.invalid_params` for one that is not there. */
export function readTopics(text: string): readonly string[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()).filter((name) => name !== ""))].sort();
  if (names.length === 0 || names.length > TOPICS_MAX) throw wrong(`give 1 to ${TOPICS_MAX} topics`);
  for (const name of names) {
    const colon = name.indexOf(":");
    const known = colon < 0 ? PLAIN.has(name) : WITH_ID.has(name.slice(0, colon)) && colon < name.length - 1;
    if (!known) throw wrong(`there is no topic ${JSON.stringify(name)}`);
  }
  return names;
}

/** Topics that it belongs to. */
export function topicsOf({ class: of, member, run_id }: Entry): readonly string[] {
  const topics = ["entries"];
  const plain = OF_CLASS[of];
  if (plain !== undefined) topics.push(plain);
  if (member !== undefined) topics.push(`member:${member}`);
  if (run_id !== undefined) topics.push(`run:${run_id}`);
  return topics;
}

/** Live signals stand beside entries that are wanted all. */
export function topicsOfLive({ member }: Live): readonly string[] {
  return member === undefined ? ["entries"] : ["entries", `live:${member}`];
}

function wrong(text: string): ReturnType<typeof mobError> {
  return mobError("mob.invalid_params", text, { facts: { path: "topics" }, hint: `Topics are ${TOPICS.join(", ")}.` });
}
