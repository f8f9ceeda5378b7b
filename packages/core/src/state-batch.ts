/** The bounds of a `StateStore`, the same on every driver, and what checks them. */
import { assert } from "./must.ts";
import type { Batch, StateOp } from "./ports/state.ts";
import { stateTooLarge } from "./state-fault.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

export const STATE_LIMITS = {
  /** Ops of one batch: what one group commit takes. */
  opsMax: 512,
  /** Bytes of one batch: the largest message (256 MiB by setting) with its reply is the caller's matter. */
  batchBytesMax: 512 * MIB,
  /** UTF-16 units of a name: scope, sender, route, request id, space, journal, reason. */
  nameMax: 1 * KIB,
  /** UTF-16 units of an order key or the key of a document. */
  keyMax: 4 * KIB,
  /** UTF-16 units of `about` and `outcome`. */
  aboutMax: 128 * KIB,
  /** Rows of one page, of one `forget` and of one `trim`. */
  pageMax: 5_000,
  /** A page ends before the row that would take it past this; the first row always comes. */
  pageBytesMax: 4 * MIB,
  /** Senders that `ready` leaves out. */
  exceptMax: 64,
} as const;

/** Bytes of a batch, nearly; throws `state.too_large` when it breaks a bound. */
export function batchBytes(batch: Batch): number {
  const { ops, scope } = batch;
  within("ops of a batch", ops.length, STATE_LIMITS.opsMax);
  within("scope", scope.length, STATE_LIMITS.nameMax);
  assert(scope.length > 0, "a scope has a name");
  let bytes = 0;
  for (const op of ops) {
    assert(op.op !== "attach" || ops.length === 1, "attach is alone in its batch");
    bytes += opBytes(op);
  }
  within("bytes of a batch", bytes, STATE_LIMITS.batchBytesMax);
  return bytes;
}

/** `limit` of a page, checked. */
export function checkLimit(limit: number): number {
  within("page", limit, STATE_LIMITS.pageMax);
  return limit;
}

/** What a row costs besides its texts and bodies. */
const ROW_BYTES = 64;

function opBytes(op: StateOp): number {
  switch (op.op) {
    case "accept": {
      const { sender, route, request_id, hash, key, body, about } = op.mail;
      names(sender, route, request_id, hash);
      within("key", key?.length ?? 0, STATE_LIMITS.keyMax);
      return ROW_BYTES + body.length + sender.length + route.length + (key?.length ?? 0) + texts(about);
    }
    case "remember": {
      const { sender, route, request_id, hash, outcome, reply } = op.answer;
      names(sender, route, request_id, hash);
      return ROW_BYTES + (reply?.length ?? 0) + sender.length + route.length + texts(outcome);
    }
    case "bury": {
      names(op.letter.reason, op.letter.sender ?? "", op.letter.route ?? "");
      return ROW_BYTES + op.letter.body.length + texts(op.letter.about);
    }
    case "send": {
      names(op.parcel.to);
      return ROW_BYTES + op.parcel.body.length + texts(op.parcel.about);
    }
    case "put":
    case "check": {
      names(op.space);
      within("key", op.key.length, STATE_LIMITS.keyMax);
      return ROW_BYTES + op.key.length + (op.op === "put" ? op.value?.length ?? 0 : 0);
    }
    case "append": {
      names(op.journal);
      return ROW_BYTES + op.body.length;
    }
    case "release": {
      names(op.parked ?? "");
      return ROW_BYTES;
    }
    case "forget":
    case "trim": {
      checkLimit(op.limit);
      return ROW_BYTES;
    }
    case "mark": return ROW_BYTES + texts(op.about ?? "");
    default: return ROW_BYTES;
  }
}

function names(...given: readonly string[]): void {
  for (const name of given) within("name", name.length, STATE_LIMITS.nameMax);
}

function texts(about: string): number {
  within("about", about.length, STATE_LIMITS.aboutMax);
  return about.length;
}

function within(what: string, size: number, limit: number): void {
  if (size > limit) throw stateTooLarge(what, size, limit);
}
