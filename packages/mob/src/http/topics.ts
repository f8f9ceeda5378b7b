/** Topics of a stream: which entries somebody wants to hear (spec: mob 11.6). Pure. */
import { mobError } from "../errors.ts";
import type { Entry } from "../ledger/entry.ts";

export const TOPICS = ["entries", "structural", "turns", "approvals", "errors", "run:<id>", "member:<id>"] as const;
const TOPICS_MAX = 32;

const PLAIN: Readonly<Record<string, (entry: Entry) => boolean>> = {
  entries: () => true, structural: (entry) => entry.class === "structural", turns: (entry) => entry.class === "turn",
  approvals: (entry) => entry.class === "approval", errors: (entry) => entry.class === "error",
};

/** An entry of any of them. Throws `mob.invalid_params` for one that is not there. */
export function readTopics(text: string): (entry: Entry) => boolean {
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (names.length === 0 || names.length > TOPICS_MAX) throw wrong(`give 1 to ${TOPICS_MAX} topics`);
  const all = names.map((name) => {
    const [kind = "", ...rest] = name.split(":");
    const id = rest.join(":");
    if (kind === "run" && id !== "") return (entry: Entry) => entry.run_id === id;
    if (kind === "member" && id !== "") return (entry: Entry) => entry.member === id;
    const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
    if (plain === undefined) throw wrong(`there is no topic ${JSON.stringify(name)}`);
    return plain;
  });
  return (entry) => all.some((wants) => wants(entry));
}

function wrong(text: string): ReturnType<typeof mobError> {
  return mobError("mob.invalid_params", text, { facts: { path: "topics" }, hint: `Topics are ${TOPICS.join(", ")}.` });
}
