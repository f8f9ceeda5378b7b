/** Cursors: `<epoch>-<seq>`, or a bare number of the present epoch (spec: mob 5.7). */
import { mobError, type MobError } from "../errors.ts";
import type { Cursor } from "./entry.ts";

export function toCursor(epoch: string, seq: number): string {
  return `${epoch}-${seq}`;
}

export interface History {
  readonly epoch: string;
  readonly head: number;
}

/** Its seq. Throws `mob.invalid_params` for what is none, `mob.stale_cursor` for one that is not of this history. */
export function readCursor(cursor: Cursor, { epoch, head }: History): number {
  const text = String(cursor);
  const [, named, digits] = /^(?:([a-z0-9]+)-)?(\d{1,15})$/.exec(text) ?? [];
  if (digits === undefined) {
    throw mobError("mob.invalid_params", `${JSON.stringify(text)} is not a cursor`, {
      facts: { path: "after" }, hint: "Give what an entry or an answer named as its cursor.",
    });
  }
  const seq = Number(digits);
  if (named !== undefined && named !== epoch || seq > head) throw staleCursor(text, toCursor(epoch, head));
  return seq;
}

/** What came after it was taken away: whoever needs all of it cannot have it. */
export function prunedCursor(after: string, oldest: string): MobError {
  return mobError("mob.stale_cursor", `what came after ${after} was pruned up to ${oldest}`, {
    facts: { after_cursor: after, oldest_cursor: oldest }, hint: "Ask for something later; how long entries are kept is a limit of the mob.",
  });
}

function staleCursor(after: string, latest: string): MobError {
  return mobError("mob.stale_cursor", `the cursor ${after} is not of this history, whose newest entry is ${latest}`, {
    facts: { after_cursor: after, latest_cursor: latest }, hint: "Query the newest page and go on from its cursor.",
  });
}
