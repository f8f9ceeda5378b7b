/** What the chapters of `StateStore` are given, and the rows that they store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type {
  Answer, Batch, Commit, NewLetter, NewMail, NewParcel, Refusal, StateOp, StateStore, StateSupports,
} from "@atoll-run/core";

export interface StateUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A handle on the store in this folder. */
  open(folder: string): Promise<StateStore>;
  readonly supports: StateSupports;
  /** Why chapters are left out whose promise `supports` does not make. */
  readonly skip?: string;
}

export const SCOPE = "acme:node:1";
/** The owner's time in the chapters. */
export const NOW = 1_000_000;

/** A store with one attached scope. */
export interface Owner {
  readonly store: StateStore;
  readonly epoch: number;
  commit(...ops: readonly StateOp[]): Promise<Commit>;
  /** The values of a batch that must be done. */
  done(...ops: readonly StateOp[]): Promise<readonly number[]>;
  refused(...ops: readonly StateOp[]): Promise<{ readonly at: number; readonly refusal: Refusal }>;
}

export async function attach(store: StateStore, scope = SCOPE): Promise<Owner> {
  const first = await store.commit({ scope, epoch: null, at_ms: NOW, ops: [{ op: "attach" }] });
  const epoch = first.ok ? first.values[0] ?? 0 : 0;
  const commit = (...ops: Batch["ops"]): Promise<Commit> => store.commit({ scope, epoch, at_ms: NOW, ops });
  return {
    store, epoch, commit,
    done: async (...ops) => {
      const made = await commit(...ops);
      if (!made.ok) throw new Error(`op ${made.at} was refused: ${JSON.stringify(made.refusal)}`);
      return made.values;
    },
    refused: async (...ops) => {
      const made = await commit(...ops);
      if (made.ok) throw new Error("it was not refused");
      return { at: made.at, refusal: made.refusal };
    },
  };
}

/** Folders and stores of one file of chapters; all closed after it. */
export function openings(under: StateUnderTest): (at?: string) => Promise<StateStore> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-state-chapters-"));
  const opened: StateStore[] = [];
  let folders = 0;
  after(async () => {
    await Promise.all(opened.map((store) => store[Symbol.asyncDispose]()));
    rmSync(folder, { recursive: true, force: true });
  });
  return async (at = String(++folders)) => {
    const store = await under.open(join(folder, at));
    opened.push(store);
    return store;
  };
}

export function mailOf(id: string, more: Partial<NewMail> = {}): NewMail {
  return {
    sender: "ann", route: "bank.Bank.Note", request_id: id, hash: `hash of ${id}`, priority: "normal", key: null,
    body: new TextEncoder().encode(id), about: "{}", accepted_at_ms: NOW, expires_at_ms: null, ready_at_ms: 0, ...more,
  };
}

export function accept(id: string, more: Partial<NewMail> = {}, leaseUntilMs: number | null = null): StateOp {
  return { op: "accept", mail: mailOf(id, more), lease_until_at_ms: leaseUntilMs };
}

export function answerOf(id: string, more: Partial<Answer> = {}): Answer {
  return {
    sender: "ann", route: "bank.Bank.Note", request_id: id, hash: `hash of ${id}`, outcome: '{"is":"done"}',
    reply: new Uint8Array([1, 2, 0, 255]), done_at_ms: NOW, forget_at_ms: NOW + 600_000, ...more,
  };
}

export function letterOf(text: string, more: Partial<NewLetter> = {}): NewLetter {
  return {
    reason: "handler_failed", accepted: true, sender: "ann", route: "bank.Bank.Note", about: JSON.stringify({ text }),
    body: new TextEncoder().encode(text), dead_at_ms: NOW, ...more,
  };
}

export function parcelOf(to: string, more: Partial<NewParcel> = {}): NewParcel {
  return {
    to, kind: "tell", body: new TextEncoder().encode(to), about: "{}", send_at_ms: NOW, expires_at_ms: NOW + 3_600_000,
    ...more,
  };
}
