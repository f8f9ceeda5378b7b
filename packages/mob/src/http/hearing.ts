/** What one stream is to hear: its topics, what is asked of them, and what its reader may see (spec: mob 5.6, 11.7, 11.10). Pure. */
import type { Entry, EntryFilter, Live } from "../ledger/entry.ts";
import { toMatch } from "../ledger/filter.ts";
import type { Sight } from "./sight.ts";
import { topicsOf, topicsOfLive } from "./topics.ts";

export interface Hearing {
  readonly topics: readonly string[];
  /** Those of equal keys hear the same. */
  readonly key: string;
  entry(entry: Entry): boolean;
  live(live: Live): boolean;
}

/** A live signal has no more than these: whoever asks for more asks for entries. */
const OF_LIVE = new Set(["member", "turn_id"]);

/** `topics` as `readTopics` gives them. */
export function toHearing({ topics, filter }: { readonly topics: readonly string[]; readonly filter: EntryFilter }, sight: Sight): Hearing {
  const wanted = new Set(topics);
  const asked = Object.entries(filter).filter(([, value]) => value !== undefined).sort(([x], [y]) => (x < y ? -1 : 1));
  const matches = toMatch(filter);
  const hearsLive = asked.every(([name]) => OF_LIVE.has(name));
  return {
    topics, key: JSON.stringify([topics, asked, sight.key]),
    entry: (entry) => topicsOf(entry).some((topic) => wanted.has(topic)) && matches(entry) && sight.entry(entry),
    live: (live) => hearsLive && topicsOfLive(live).some((topic) => wanted.has(topic))
      && asked.every(([name, value]) => live[name as "member" | "turn_id"] === value) && sight.live(live),
  };
}
