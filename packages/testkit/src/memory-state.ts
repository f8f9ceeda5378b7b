/**
 * A `StateStore` in memory: for tests and for `memory: true`, and the model that other drivers are compared with.
 * It looks at all its rows for each question, and is right before it is fast.
 */
import {
  batchBytes, checkLimit, compareBytes, STATE_LIMITS, stateCancelled, stateClosed, type Answer, type Commit,
  type JournalEntry, type Letter, type Mail, type MailHead, type Page, type Parcel, type RequestName,
  type StateStore, type StoreCall, type Usage, type Wakes,
} from "@atoll-run/core";
import { MemoryScope, type Shared } from "./memory-state-scope.ts";

/** Keeps nothing after it is disposed. */
export function memoryState(): StateStore {
  const scopes = new Map<string, MemoryScope>();
  const shared: Shared = { lastSeq: 0, entries: [] };
  let closed = false;
  const enter = (name: string, call: StoreCall | undefined): MemoryScope => {
    if (closed) throw stateClosed();
    if (call?.signal?.aborted) throw stateCancelled(false);
    const scope = scopes.get(name) ?? new MemoryScope(name, shared);
    scopes.set(name, scope);
    return scope;
  };
  return {
    supports: { durable: false, shared: false },
    commit: async (batch, call): Promise<Commit> => {
      const scope = enter(batch.scope, call);
      batchBytes(batch);
      return scope.commit(batch);
    },
    ready: async (name, { priority, at_ms, limit, except = [] }, call) => {
      const rows = [...enter(name, call).mail.values()].filter((row) => row.priority === priority
        && row.ready_at_ms <= at_ms && isFirst(row, scopes.get(name)) && !except.includes(row.sender));
      return page(rows.sort((a, b) => a.ready_at_ms - b.ready_at_ms || a.seq - b.seq), limit).map(copy);
    },
    mail: async (name, seq, call) => {
      const row = enter(name, call).mail.get(seq);
      return row === undefined ? undefined : copy(row);
    },
    rows: async (name, { after, limit }, call) => page(from(enter(name, call).mail, after), limit).map(head),
    expired: async (name, at_ms, limit, call) => {
      const rows = [...enter(name, call).mail.values()].filter((row) => (row.expires_at_ms ?? Infinity) <= at_ms);
      return page(rows.sort((a, b) => (a.expires_at_ms ?? 0) - (b.expires_at_ms ?? 0) || a.seq - b.seq), limit).map(head);
    },
    parked: async (name, parked, limit, call) =>
      page(from(enter(name, call).mail, 0).filter((row) => row.parked === parked), limit).map(head),
    find: async (name, request, call) => find(enter(name, call), request),
    outbox: async (name, at_ms, limit, call) => {
      const parcels = [...enter(name, call).outbox.values()].filter((parcel) => parcel.send_at_ms <= at_ms);
      return page(parcels.sort((a, b) => a.send_at_ms - b.send_at_ms || a.seq - b.seq), limit).map(copy);
    },
    outboxTo: async (name, to, { after, limit }, call) =>
      page(from(enter(name, call).outbox, after).filter((parcel) => parcel.to === to), limit).map(copy),
    letters: async (name, { after, limit }, call) => page(from(enter(name, call).letters, after), limit).map(copy),
    get: async (name, space, key, call) => {
      const found = enter(name, call).documents.get(space)?.get(key);
      return found === undefined ? undefined : { ...found };
    },
    keys: async (name, space, { prefix, after, limit }, call) => {
      const keys = [...enter(name, call).documents.get(space)?.keys() ?? []].sort(compareBytes);
      return keys.filter((key) => key.startsWith(prefix) && (after === null || compareBytes(key, after) > 0))
        .slice(0, checkLimit(limit));
    },
    journal: async (journal, { after, limit }, call) => {
      enter("", call);
      return pageOf(shared.entries.filter((one) => one.journal === journal && one.seq > after), limit)
        .map(({ seq, scope, at_ms, body }): JournalEntry => ({ seq, scope, at_ms, body }));
    },
    journalBack: async (journal, { before, limit }, call) => {
      enter("", call);
      return pageOf(shared.entries.filter((one) => one.journal === journal && one.seq < before).reverse(), limit)
        .map(({ seq, scope, at_ms, body }): JournalEntry => ({ seq, scope, at_ms, body }));
    },
    usage: async (name, call) => usageOf(enter(name, call)),
    size: async (call) => {
      enter("", call);
      return sum(scopes.values(), bytesOf) + sum(shared.entries, ({ body }) => body.length);
    },
    wakes: async (name, after, call) => wakesOf(enter(name, call), after),
    [Symbol.asyncDispose]: async () => void (closed = true),
  };
}

function isFirst(row: Mail, scope: MemoryScope | undefined): boolean {
  return row.key === null
    || ![...scope?.mail.values() ?? []].some((other) => other.key === row.key && other.seq < row.seq);
}

function usageOf({ mail, answers, letters, outbox }: MemoryScope): Usage {
  return {
    rows: mail.size, bytes: sum(mail.values(), (row) => row.bytes),
    answers: answers.size, answer_bytes: sum(answers.values(), (answer) => answer.reply?.length ?? 0),
    letters: letters.size, letter_bytes: sum(letters.values(), (letter) => letter.body.length), parcels: outbox.size,
  };
}

function bytesOf(scope: MemoryScope): number {
  const { bytes, answer_bytes, letter_bytes } = usageOf(scope);
  const documents = sum(scope.documents.values(), (space) => sum(space.values(), ({ value }) => value.length));
  return bytes + answer_bytes + letter_bytes + documents + sum(scope.outbox.values(), ({ body }) => body.length);
}

function wakesOf(scope: MemoryScope, after: number): Wakes {
  const rows = [...scope.mail.values()];
  return {
    ready_at_ms: next(rows.filter((row) => isFirst(row, scope)).map((row) => row.ready_at_ms), after),
    expires_at_ms: next(rows.flatMap((row) => row.expires_at_ms ?? []), after),
    send_at_ms: next([...scope.outbox.values()].map((parcel) => parcel.send_at_ms), after),
    forget_at_ms: next([...scope.answers.values()].map((answer) => answer.forget_at_ms), after),
  };
}

function find(scope: MemoryScope, request: RequestName): MailHead | Answer | undefined {
  const row = scope.rowOf(request);
  return row === undefined ? scope.answerOf(request) : head(row);
}

function from<T extends { readonly seq: number }>(rows: ReadonlyMap<number, T>, after: Page["after"]): T[] {
  return [...rows.values()].filter((row) => row.seq > after).sort((a, b) => a.seq - b.seq);
}

function copy<T extends Mail | Parcel | Letter>(row: T): T {
  return { ...row };
}

function head(row: Mail): MailHead {
  const { body: { length: bytes }, ...rest } = row;
  return { ...rest, bytes };
}

function page<T extends { readonly body: Uint8Array }>(rows: readonly T[], limit: number): T[] {
  return pageOf(rows, limit);
}

/** The rows that one page holds: by number and by bytes, at least one. */
function pageOf<T extends { readonly body: { readonly length: number } }>(rows: readonly T[], limit: number): T[] {
  let bytes = 0;
  const end = rows.findIndex((row, i) => (bytes += row.body.length) > STATE_LIMITS.pageBytesMax && i > 0);
  return rows.slice(0, Math.min(checkLimit(limit), end < 0 ? Infinity : end));
}

function sum<T>(rows: Iterable<T>, of: (row: T) => number): number {
  let total = 0;
  for (const row of rows) total += of(row);
  return total;
}

function next(times: readonly number[], after: number): number | null {
  const least = Math.min(...times.filter((time) => time > after));
  return least === Infinity ? null : least;
}
