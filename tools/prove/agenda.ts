/** What there is to prove, by issue. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { findBenches, nameOf, readBench } from "../bench/measure.ts";
import { SHARE_MINUTES, type Issue } from "./proof.ts";
import { readProof, type ProofFacts } from "./run-proof.ts";

/** Part of an issue's minutes for its bars, when it has proofs too. */
const BARS_PERCENT = 35;
/** The name of the bars in `--only` and in the lists. */
export const BARS = "bars";

export interface ProofItem {
  readonly kind: "proof";
  readonly name: string;
  readonly file: string;
  readonly facts: ProofFacts;
}

export interface BarsItem {
  readonly kind: "bars";
  readonly name: string;
  readonly files: readonly string[];
}

export type Item = ProofItem | BarsItem;
export type Agenda = ReadonlyMap<Issue, readonly Item[]>;

/**
 * Items of each issue in the order they run; with a name only the items that have it in theirs. Throws on bad
 * files.
 */
export async function readAgenda(root: string, only: string | undefined): Promise<Agenda> {
  const agenda = new Map<Issue, Item[]>();
  const wanted = (name: string): boolean => only === undefined || name.includes(only);
  for (const file of globSync("test/prove/**/*.prove.ts", { cwd: root }).sort()) {
    if (!wanted(nameOf(file))) continue;
    const facts = await readProof(root, join(root, file));
    const item: Item = { kind: "proof", name: nameOf(file), file: join(root, file), facts };
    append(agenda, toIssue(facts.issue, file), item);
  }
  const bars = new Map<Issue, string[]>();
  for (const file of findBenches(root, [])) {
    if (!wanted(BARS) && !wanted(nameOf(file))) continue;
    const { issue, bars: { length } } = await readBench(root, file);
    if (length > 0) append(bars, toIssue(issue ?? "A", file), file);
  }
  for (const [issue, files] of bars) {
    append(agenda, issue, { kind: "bars", name: `${BARS} of ${issue}`, files });
  }
  return new Map([...agenda].sort(([a], [b]) => a < b ? -1 : 1));
}

/** What the item claims of its issue's minutes. */
export function claimOf(item: Item): { name: string; sharePercent?: number } {
  const sharePercent = item.kind === "bars" ? BARS_PERCENT : item.facts.sharePercent;
  return { name: item.name, ...sharePercent === undefined ? {} : { sharePercent } };
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  map.set(key, [...map.get(key) ?? [], value]);
}

function toIssue(issue: string, file: string): Issue {
  if (issue in SHARE_MINUTES) return issue as Issue;
  throw new Error(`${file}: no issue ${issue}, only ${Object.keys(SHARE_MINUTES).join(", ")}`);
}
