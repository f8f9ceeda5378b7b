/** What one stream is to hear: its topics, what is asked of them, and what its reader may see (spec: mob 5.6, 11.6, 11.7, 11.10). Pure. */
import type { Action } from "../definition/words.ts";
import { mobError } from "../errors.ts";
import type { Entry, EntryClass, EntryFilter, Live } from "../ledger/entry.ts";
import { toMatch } from "../ledger/filter.ts";
import type { View } from "../roster/view.ts";
import { deniedError, type Principal } from "./access.ts";
import type { Right, Rights } from "./rights.ts";
import { Rows } from "./rows.ts";
import { sightOf, type Sight } from "./sight.ts";

/** Rows of members, which are not entries. */
export const ROSTER = "roster";
/** How the mob is, in figures: not stored. */
export const METRICS = "metrics";
export const TOPICS = ["entries", "structural", "turns", "approvals", "errors", ROSTER, METRICS, "run:<id>", "member:<id>", "live:<id>"] as const;
const TOPICS_MAX = 32;

const OF_CLASS: Readonly<Partial<Record<EntryClass, string>>> = { structural: "structural", turn: "turns", approval: "approvals", error: "errors" };
const PLAIN: ReadonlySet<string> = new Set(["entries", ROSTER, METRICS, ...Object.values(OF_CLASS)]);
/** What else is heard wants `ledger.view`. */
const OF_TOPIC: Readonly<Record<string, Action>> = { [ROSTER]: "member.view", [METRICS]: "mob.view" };
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

/** Whether somebody may hear it: of some members at least, and figures of the mob as a whole. */
export function mayHear(topic: string, of: (action: Action) => Pick<Right, "any" | "mob">): boolean {
  const { any, mob } = of(actionOf(topic));
  return topic === METRICS ? mob : any;
}

function actionOf(topic: string): Action {
  return OF_TOPIC[topic] ?? "ledger.view";
}

export interface HearingAsk {
  /** As `readTopics` gives them. */
  readonly topics: readonly string[];
  /** Of entries; its `member` is the one of rows, too. */
  readonly filter: EntryFilter;
}

export interface Hearing {
  readonly topics: readonly string[];
  /** Those of equal keys hear the same. */
  readonly key: string;
  /** Undefined: it hears no rows of members. */
  readonly rows: Rows | undefined;
  /** It hears how the mob is. */
  readonly figures: boolean;
  /** Every entry that it hears matches that, and with rows every one that touches them. */
  readonly narrow: EntryFilter;
  /** It hears no entries: what it has missed of the ledger need not be read, when it is told the rows anew. */
  readonly noEntries: boolean;
  entry(entry: Entry): boolean;
  live(live: Live): boolean;
}

/** By the rules as they are now. Throws `mob.denied` where one of the topics is not for him. */
export function toHearing(ask: HearingAsk, who: Principal, { rights, view }: { readonly rights: Rights; readonly view: View }): Hearing {
  const { topics, filter } = ask;
  for (const topic of topics) if (!mayHear(topic, (action) => rights.of(who, action))) throw deniedError(who, actionOf(topic));
  const sight = sightOf(rights, who);
  const hearsRows = topics.includes(ROSTER);
  return {
    narrow: hearsRows ? {} : toNarrow(ask),
    topics, key: JSON.stringify([topics, askedOf(filter), sight.key]), noEntries: !hearsEntries(topics),
    figures: topics.includes(METRICS), rows: hearsRows ? new Rows({ view, right: rights.of(who, "member.view"), only: filter.member }) : undefined, ...toMatcher(ask, sight),
  };
}

export function hearsEntries(topics: readonly string[]): boolean {
  return topics.some(hasEntries);
}

function hasEntries(topic: string): boolean {
  return topic !== ROSTER && topic !== METRICS && !topic.startsWith("live:");
}

/** Every entry that it hears matches that. */
export function toNarrow({ topics, filter }: HearingAsk): EntryFilter {
  return { ...narrowOf(topics.filter(hasEntries)), ...Object.fromEntries(askedOf(filter)) };
}

const CLASSES: Readonly<Record<string, EntryClass>> = Object.fromEntries(Object.entries(OF_CLASS).map(([of, topic]) => [topic, of as EntryClass]));

/** Topics of one sort are asked for as they are; of several sorts, everything. */
function narrowOf(topics: readonly string[]): EntryFilter {
  const classes = topics.map((topic) => CLASSES[topic]).filter((of) => of !== undefined);
  if (classes.length === topics.length) return { classes };
  const [only = "", ...others] = topics;
  const id = only.slice(only.indexOf(":") + 1);
  if (others.length > 0) return {};
  return only.startsWith("member:") ? { member: id } : only.startsWith("run:") ? { run_id: id } : {};
}

/** A live signal has no more than these: whoever asks for more asks for entries. */
const OF_LIVE = new Set(["member", "turn_id"]);

export function toMatcher({ topics, filter }: HearingAsk, sight: Sight): Pick<Hearing, "entry" | "live"> {
  const wanted = new Set(topics);
  const asked = askedOf(filter);
  const matches = toMatch(filter);
  const hearsLive = asked.every(([name]) => OF_LIVE.has(name));
  return {
    entry: (entry) => topicsOf(entry).some((topic) => wanted.has(topic)) && matches(entry) && sight.entry(entry),
    live: (live) => hearsLive && topicsOfLive(live).some((topic) => wanted.has(topic))
      && asked.every(([name, value]) => live[name as "member" | "turn_id"] === value) && sight.live(live),
  };
}

function askedOf(filter: EntryFilter): readonly (readonly [string, unknown])[] {
  return Object.entries(filter).filter(([, value]) => value !== undefined).sort(([x], [y]) => (x < y ? -1 : 1));
}
