/** One scope of the `StateStore` in memory: applies batches, and takes back what it did when an op is refused. */
import type {
  Answer, Batch, Commit, Document, JournalEntry, Letter, Mail, Parcel, Refusal, RequestName, StateOp,
} from "@atoll-run/core";

/** What all scopes have together. */
export interface Shared {
  lastSeq: number;
  entries: (JournalEntry & { readonly journal: string })[];
}

class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.why);
    this.refusal = refusal;
  }
}

type Of<Name extends StateOp["op"]> = Extract<StateOp, { op: Name }>;
type Apply = { [Name in StateOp["op"]]: (op: Of<Name>, at_ms: number) => number };

export class MemoryScope {
  readonly name: string;
  readonly mail = new Map<number, Mail>();
  readonly answers = new Map<string, Answer>();
  readonly letters = new Map<number, Letter>();
  readonly outbox = new Map<number, Parcel>();
  readonly documents = new Map<string, Map<string, Document>>();
  readonly #shared: Shared;
  #epoch = 0;
  #undo: (() => void)[] = [];

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.#shared = shared;
  }

  commit({ epoch, at_ms, ops }: Batch): Commit {
    if (epoch !== null && epoch !== this.#epoch) {
      return { ok: false, at: 0, refusal: { why: "stale_epoch", epoch: this.#epoch } };
    }
    const values: number[] = [];
    this.#undo = [];
    try {
      for (const op of ops) values.push((this.#apply[op.op] as (op: StateOp, at_ms: number) => number)(op, at_ms));
      return { ok: true, values };
    } catch (error) {
      for (const step of this.#undo.reverse()) step();
      if (error instanceof Refused) return { ok: false, at: values.length, refusal: error.refusal };
      throw error;
    }
  }

  rowOf(request: RequestName): Mail | undefined {
    const name = nameOf(request);
    return [...this.mail.values()].find((row) => nameOf(row) === name);
  }

  answerOf(request: RequestName): Answer | undefined {
    return this.answers.get(nameOf(request));
  }

  readonly #apply: Apply = {
    attach: () => {
      for (const row of [...this.mail.values()].filter(({ leased }) => leased)) {
        this.#change(row, { leased: false, ready_at_ms: 0, crashes: row.crashes + 1, fence: row.fence + 1 });
      }
      return ++this.#epoch;
    },
    accept: ({ mail, lease_until_at_ms: until }, at_ms) => {
      this.#refuseDuplicate(mail, at_ms);
      const seq = ++this.#shared.lastSeq;
      const leased = until !== null;
      this.#set(this.mail, seq, {
        ...mail, body: mail.body.slice(), seq, bytes: mail.body.length, attempts: 0, crashes: 0, parked: null, leased,
        fence: leased ? 1 : 0, ready_at_ms: until ?? mail.ready_at_ms,
      });
      return seq;
    },
    lease: ({ seq, fence, until_at_ms, expires_at_ms: end }) => {
      const row = this.#row(seq, fence);
      const expires_at_ms = end === undefined ? row.expires_at_ms : end;
      return this.#change(row, { leased: true, fence: fence + 1, ready_at_ms: until_at_ms, parked: null, expires_at_ms });
    },
    release: ({ seq, fence, ready_at_ms, parked, counted, expires_at_ms: end }) => {
      const row = this.#row(seq, fence);
      const attempts = row.attempts + (counted ? 1 : 0);
      const expires_at_ms = end === undefined ? row.expires_at_ms : end;
      return this.#change(row, { leased: false, fence: fence + 1, ready_at_ms, parked, attempts, expires_at_ms });
    },
    settle: ({ seq, fence }) => {
      this.#row(seq, fence);
      this.#set(this.mail, seq, undefined);
      return 0;
    },
    remember: ({ answer }, at_ms) => {
      this.#refuseDuplicate(answer, at_ms);
      this.#set(this.answers, nameOf(answer), { ...answer });
      return 0;
    },
    forget: ({ limit }, at_ms) => {
      const over = [...this.answers.values()].filter((answer) => answer.forget_at_ms <= at_ms)
        .sort((a, b) => a.forget_at_ms - b.forget_at_ms).slice(0, limit);
      for (const answer of over) this.#set(this.answers, nameOf(answer), undefined);
      return over.length;
    },
    bury: ({ letter }) => {
      const seq = ++this.#shared.lastSeq;
      this.#set(this.letters, seq, { ...letter, seq, redrives: 0, redriving: false });
      return seq;
    },
    mark: ({ seq, redriving, about }) => {
      const letter = this.letters.get(seq);
      if (letter === undefined) throw new Refused({ why: "not_found", seq });
      const redrives = letter.redrives + (redriving ? 1 : 0);
      this.#set(this.letters, seq, { ...letter, redriving, redrives, about: about ?? letter.about });
      return 0;
    },
    purge: ({ seq }) => this.#drop(this.letters, seq),
    send: ({ parcel }) => {
      const seq = ++this.#shared.lastSeq;
      this.#set(this.outbox, seq, { ...parcel, seq, attempts: 0 });
      return seq;
    },
    resend: ({ seq, send_at_ms }) => {
      const parcel = this.outbox.get(seq);
      if (parcel === undefined) throw new Refused({ why: "not_found", seq });
      this.#set(this.outbox, seq, { ...parcel, send_at_ms, attempts: parcel.attempts + 1 });
      return 0;
    },
    sent: ({ seq }) => this.#drop(this.outbox, seq),
    put: ({ space, key, value, if_version }) => {
      const documents = this.documents.get(space) ?? new Map<string, Document>();
      this.documents.set(space, documents);
      if (if_version !== null) this.#check(space, key, if_version);
      const version = value === null ? 0 : ++this.#shared.lastSeq;
      this.#set(documents, key, value === null ? undefined : { value, version });
      return version;
    },
    check: ({ space, key, version }) => this.#check(space, key, version),
    append: ({ journal, body }, at_ms) => {
      const { entries } = this.#shared;
      const seq = ++this.#shared.lastSeq;
      entries.push({ journal, seq, scope: this.name, at_ms, body });
      this.#undo.push(() => void entries.pop());
      return seq;
    },
    trim: ({ journal, above = 0, below, limit }) => {
      const before = this.#shared.entries;
      const over = new Set(before.filter(({ journal: of, seq }) => of === journal && seq > above && seq < below).slice(0, limit));
      this.#shared.entries = before.filter((entry) => !over.has(entry));
      this.#undo.push(() => void (this.#shared.entries = before));
      return over.size;
    },
  };

  #row(seq: number, fence: number): Mail {
    const row = this.mail.get(seq);
    if (row === undefined || row.fence !== fence) throw new Refused({ why: "stale_row", seq });
    return row;
  }

  /** Value of ops that change a row: its fence. */
  #change(row: Mail, change: Partial<Mail>): number {
    const changed = { ...row, ...change };
    this.#set(this.mail, row.seq, changed);
    return changed.fence;
  }

  #refuseDuplicate(request: RequestName, at_ms: number): void {
    const row = this.rowOf(request);
    if (row !== undefined) throw new Refused({ why: "duplicate", seq: row.seq, hash: row.hash, answer: null });
    const answer = this.answerOf(request);
    if (answer === undefined || answer.forget_at_ms <= at_ms) return;
    throw new Refused({ why: "duplicate", seq: 0, hash: answer.hash, answer });
  }

  #check(space: string, key: string, version: number): number {
    const present = this.documents.get(space)?.get(key)?.version ?? 0;
    if (present !== version) throw new Refused({ why: "moved", space, key, version: present });
    return present;
  }

  #drop<V>(rows: Map<number, V>, seq: number): number {
    if (!rows.has(seq)) return 0;
    this.#set(rows, seq, undefined);
    return 1;
  }

  #set<K, V>(rows: Map<K, V>, key: K, value: V | undefined): void {
    const before = rows.get(key);
    this.#undo.push(() => void (before === undefined ? rows.delete(key) : rows.set(key, before)));
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
  }
}

function nameOf({ sender, route, request_id }: RequestName): string {
  return JSON.stringify([sender, route, request_id]);
}
