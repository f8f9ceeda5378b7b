/** Rows of SQLite as the rows of the port; the columns stand in the order of `statements.ts`. */
import {
  PRIORITIES, type Answer, type JournalEntry, type Letter, type Mail, type MailHead, type Parcel, type Priority,
} from "@atoll-run/core";
import type { Row } from "./compiled.ts";

const BY_NUMBER = Object.keys(PRIORITIES) as Priority[];
const HEAD_COLUMNS = 17;

export function toHead(row: Row): MailHead {
  const [
    seq, sender, route, request_id, hash, priority, key, about, accepted_at_ms, expires_at_ms, ready_at_ms, attempts,
    crashes, fence, leased, parked, bytes,
  ] = row as [
    number, string, string, string, string, number, string | null, string, number, number | null, number, number, number,
    number, number, string | null, number,
  ];
  return {
    seq, sender, route, request_id, hash, priority: BY_NUMBER[priority] ?? "normal", key, about, accepted_at_ms,
    expires_at_ms, ready_at_ms, attempts, crashes, fence, leased: leased === 1, parked, bytes,
  };
}

export function toMail(row: Row): Mail {
  return { ...toHead(row), body: row[HEAD_COLUMNS] as Uint8Array };
}

export function toParcel(row: Row): Parcel {
  const [seq, to, kind, about, send_at_ms, expires_at_ms, attempts, body] = row as [
    number, string, Parcel["kind"], string, number, number, number, Uint8Array,
  ];
  return { seq, to, kind, about, send_at_ms, expires_at_ms, attempts, body };
}

export function toLetter(row: Row): Letter {
  const [seq, reason, accepted, sender, route, about, dead_at_ms, redrives, redriving, body] = row as [
    number, string, number, string | null, string | null, string, number, number, number, Uint8Array,
  ];
  return {
    seq, reason, accepted: accepted === 1, sender, route, about, dead_at_ms, redrives, redriving: redriving === 1, body,
  };
}

export function toAnswer(row: Row): Answer {
  const [sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms] = row as [
    string, string, string, string, string, Uint8Array | null, number, number,
  ];
  return { sender, route, request_id, hash, outcome, reply, done_at_ms, forget_at_ms };
}

export function toEntry(row: Row): JournalEntry {
  const [seq, scope, at_ms, body] = row as [number, string, number, string];
  return { seq, scope, at_ms, body };
}
