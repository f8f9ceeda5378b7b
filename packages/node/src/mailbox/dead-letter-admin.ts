/**
 * Dead letters for people (spec: node 4.19): look, hand in once more, throw away. On a running node through its inbox;
 * on a store without one directly, for whoever holds the lock of the folder.
 */
import {
  isFault, nodeError, parseNodeId, sleep, type Clock, type Commit, type Fault, type Letter, type NewMail, type Principal,
  type StateStore,
} from "@atoll-run/core";
import { readEnvelope } from "@atoll-run/core/internal";
import type { LetterAbout } from "./letters.ts";
import { hashOf, LOCAL } from "./message.ts";
import { aboutOf } from "./row.ts";

/** All that is given must fit. */
export interface LetterFilter {
  readonly reason?: string;
  readonly route?: string;
  readonly sender?: string;
  /** Died at that time or later, milliseconds since 1970. */
  readonly since_ms?: number;
  /** Id of a trace, or a whole `traceparent`. */
  readonly trace?: string;
}

export interface LetterView extends LetterAbout {
  readonly seq: number;
  readonly reason: string;
  /** False: a frame that was never accepted. */
  readonly accepted: boolean;
  readonly sender: string | null;
  readonly route: string | null;
  readonly bytes: number;
  readonly dead_at_ms: number;
  readonly redrives: number;
  readonly redriving: boolean;
}

export interface LetterStats {
  readonly letters: number;
  readonly bytes: number;
  readonly redriving: number;
  readonly oldest_at_ms: number | null;
  readonly by_reason: Readonly<Record<string, number>>;
  readonly by_route: Readonly<Record<string, number>>;
}

/** One letter by its number, or all that fit. */
export type LetterChoice = { readonly seq: number } | LetterFilter;

export interface Redriven {
  readonly redriven: number;
  /** Left as they are, and why. */
  readonly skipped: readonly { readonly seq: number; readonly why: string }[];
}

export interface DeadLetterAdmin {
  /** From `after` on (0 = the oldest), at most `limit` (100). `next` is the `after` of the next page, null at the end. */
  list(o?: LetterFilter & { readonly after?: number; readonly limit?: number }):
    Promise<{ readonly letters: readonly LetterView[]; readonly next: number | null }>;
  get(seq: number): Promise<LetterView | undefined>;
  stats(): Promise<LetterStats>;
  /** Hands them in again under their old request id with `#r<n>`; `rate` = at most so many a second. */
  redrive(which: LetterChoice, o?: {
    readonly rate?: number; readonly dryRun?: boolean; readonly signal?: AbortSignal;
  }): Promise<Redriven>;
  purge(which: LetterChoice, o?: { readonly dryRun?: boolean }): Promise<{ readonly purged: number }>;
  /** The bytes as they came. Throws `node.not_found`. */
  export(seq: number): Promise<Uint8Array>;
}

/** What a redrive stores, in one batch. */
export interface Redrive {
  readonly letter: Letter;
  readonly mail: NewMail;
  readonly kind: "call" | "tell";
  readonly principal: Principal;
}

export interface DeadLetterParts {
  readonly store: StateStore;
  readonly scope: string;
  readonly clock: Clock;
  readonly now: () => number;
  readonly epoch: () => number | null;
  /** Whether that sender may do that today. */
  readonly mayDo: (sender: Principal, kind: "call" | "tell", route: string) => boolean;
  /** How a running node takes it in; gives why not. Absent: no node runs on this store. */
  readonly take?: (redrive: Redrive) => Promise<Fault | undefined>;
  /** It is no letter any more. */
  readonly purged?: (letter: Letter) => void;
}

const LIST_MAX = 100;
const PAGE = 500;
const SECOND_MS = 1_000;

export function createDeadLetterAdmin(parts: DeadLetterParts): DeadLetterAdmin {
  const { store, scope, clock, now } = parts;
  const find = async (seq: number): Promise<Letter | undefined> =>
    (await store.letters(scope, { after: seq - 1, limit: 1 })).find((letter) => letter.seq === seq);
  const chosen = async function* (which: LetterChoice): AsyncGenerator<Letter> {
    if (!("seq" in which)) return yield* all(parts, which);
    const letter = await find(which.seq);
    if (letter === undefined) throw noLetter(which.seq);
    yield letter;
  };
  const commit = (ops: Parameters<StateStore["commit"]>[0]["ops"]): Promise<Commit> =>
    store.commit({ scope, epoch: parts.epoch(), at_ms: now(), ops });
  return {
    list: async ({ after = 0, limit = LIST_MAX, ...filter } = {}) => {
      const letters: LetterView[] = [];
      for await (const letter of all(parts, filter, after)) {
        if (letters.length === limit) return { letters, next: letters.at(-1)?.seq ?? after };
        letters.push(toView(letter));
      }
      return { letters, next: null };
    },
    get: async (seq) => {
      const letter = await find(seq);
      return letter === undefined ? undefined : toView(letter);
    },
    stats: () => countLetters(all(parts, {})),
    redrive: async (which, { rate, dryRun = false, signal } = {}) => {
      let redriven = 0;
      const skipped: { seq: number; why: string }[] = [];
      for await (const letter of chosen(which)) {
        if (redriven > 0 && rate !== undefined && !dryRun) await sleep(SECOND_MS / rate, { clock, signal });
        const why = await redriveOne(parts, letter, { dryRun, commit });
        if (why === undefined) redriven += 1;
        else skipped.push({ seq: letter.seq, why });
      }
      return { redriven, skipped };
    },
    purge: async (which, { dryRun = false } = {}) => {
      let purged = 0;
      for await (const letter of chosen(which)) {
        // One that is handled at the moment comes back or goes by itself.
        if (letter.redriving) continue;
        const done = dryRun ? undefined : await commit([{ op: "purge", seq: letter.seq }]);
        if (done?.ok === false) throw nodeError("node.unavailable", "another process has taken over this node");
        if (!dryRun) parts.purged?.(letter);
        purged += 1;
      }
      return { purged };
    },
    export: async (seq) => {
      const letter = await find(seq);
      if (letter === undefined) throw noLetter(seq);
      return letter.body;
    },
  };
}

/** Why it was left as it is. */
async function redriveOne(
  parts: DeadLetterParts, letter: Letter,
  { dryRun, commit }: { readonly dryRun: boolean; readonly commit: (ops: Parameters<StateStore["commit"]>[0]["ops"]) => Promise<Commit> },
): Promise<string | undefined> {
  if (letter.redriving) return "it is being handled already";
  if (letter.reason === "undeliverable") {
    if (dryRun) return undefined;
    const sent = await commit(sendAgain(letter, parts.now()));
    if (sent.ok) parts.purged?.(letter);
    return sent.ok ? undefined : sent.refusal.why;
  }
  const redrive = toRedrive(letter, parts.now());
  if (isFault(redrive)) return redrive.message;
  const { principal, kind, mail } = redrive;
  if (!parts.mayDo(principal, kind, mail.route)) return `${mail.sender} may not ${kind} ${mail.route}`;
  if (dryRun) return undefined;
  if (parts.take !== undefined) return (await parts.take(redrive))?.message;
  const done = await commit([
    { op: "accept", mail, lease_until_at_ms: null }, { op: "mark", seq: letter.seq, redriving: true, about: null },
  ]);
  return done.ok ? undefined : done.refusal.why;
}

/** The row of a letter, or why there can be none. */
function toRedrive(letter: Letter, nowMs: number): Redrive | Fault {
  const about = JSON.parse(letter.about) as LetterAbout;
  const read = readEnvelope(letter.body, Infinity);
  if (!read.ok || letter.sender === null || letter.reason === "frame_undecodable") {
    return nodeError("node.decode_failure", "it cannot be read: it can only be exported");
  }
  const kind = about.kind ?? (read.value.direction === "request" ? "call" : "tell");
  const principal = principalOf(letter.sender, about.proof);
  if (principal === undefined) return nodeError("node.decode_failure", "its sender cannot be read");
  const mail: NewMail = {
    sender: letter.sender, route: letter.route ?? read.value.route_key,
    request_id: `${about.request_id ?? read.value.request_id}#r${letter.redrives + 1}`, hash: about.hash ?? hashOf(read.value),
    priority: about.priority ?? "normal", key: about.key ?? null, body: letter.body,
    about: aboutOf({ kind, principal, letter: letter.seq }), accepted_at_ms: nowMs, expires_at_ms: null, ready_at_ms: 0,
  };
  return { letter, mail, kind, principal };
}

export function principalOf(sender: string, proof: "key" | "bearer" | undefined): Principal | undefined {
  if (sender === LOCAL) return { kind: "local" };
  const id = parseNodeId(sender);
  return id === undefined || proof === undefined ? undefined : { kind: "peer", id, proof };
}

const SEND_AGAIN_TTL_MS = 3_600_000;

/** Into the outbox once more. */
function sendAgain(letter: Letter, nowMs: number): Parameters<StateStore["commit"]>[0]["ops"] {
  const { to, request_id, traceparent } = JSON.parse(letter.about) as LetterAbout & { readonly to?: string };
  return [{ op: "send", parcel: {
    to: to ?? "", kind: "tell", body: letter.body, about: JSON.stringify({ route: letter.route, request_id, traceparent }),
    send_at_ms: nowMs, expires_at_ms: nowMs + SEND_AGAIN_TTL_MS,
  } }, { op: "purge", seq: letter.seq }];
}

async function* all({ store, scope }: DeadLetterParts, filter: LetterFilter, from = 0): AsyncGenerator<Letter> {
  for (let after = from; ;) {
    const page = await store.letters(scope, { after, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) return;
    for (const letter of page) if (fits(letter, filter)) yield letter;
    after = last.seq;
  }
}

function fits(letter: Letter, { reason, route, sender, since_ms, trace }: LetterFilter): boolean {
  if (reason !== undefined && letter.reason !== reason || route !== undefined && letter.route !== route) return false;
  if (sender !== undefined && letter.sender !== sender || letter.dead_at_ms < (since_ms ?? 0)) return false;
  return trace === undefined || ((JSON.parse(letter.about) as LetterAbout).traceparent ?? "").includes(trace);
}

async function countLetters(letters: AsyncIterable<Letter>): Promise<LetterStats> {
  const by_reason: Record<string, number> = {};
  const by_route: Record<string, number> = {};
  let [count, bytes, redriving] = [0, 0, 0];
  let oldest: number | null = null;
  for await (const { reason, route, body, dead_at_ms, redriving: again } of letters) {
    count += 1;
    bytes += body.length;
    redriving += again ? 1 : 0;
    oldest = Math.min(oldest ?? Infinity, dead_at_ms);
    by_reason[reason] = (by_reason[reason] ?? 0) + 1;
    if (route !== null) by_route[route] = (by_route[route] ?? 0) + 1;
  }
  return { letters: count, bytes, redriving, oldest_at_ms: oldest, by_reason, by_route };
}

function toView({ seq, reason, accepted, sender, route, body, dead_at_ms, redrives, redriving, about }: Letter): LetterView {
  return {
    ...JSON.parse(about) as LetterAbout, seq, reason, accepted, sender, route, bytes: body.length, dead_at_ms, redrives,
    redriving,
  };
}

function noLetter(seq: number): Error {
  return nodeError("node.not_found", `there is no dead letter ${seq}`);
}
