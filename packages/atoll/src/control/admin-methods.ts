/** Mailbox and dead letters as methods of the control socket; without a running node the commands call them directly. */
import { isFault, type Json, nodeError } from "@atoll-run/core";
import { readEnvelope } from "@atoll-run/core/internal";
import type { DeadLetterAdmin, LetterFilter, MailboxAdmin } from "@atoll-run/node/internal";
import type { ControlMethods } from "./protocol.ts";

export interface AdminTarget {
  readonly mailbox: MailboxAdmin;
  readonly deadLetters: DeadLetterAdmin;
}

type Args = Readonly<Record<string, Json>>;

export function adminMethods({ mailbox, deadLetters }: AdminTarget): ControlMethods {
  return {
    "mailbox.ls": async ({ limit }) => toJson({ rows: await mailbox.ls(limit === undefined ? {} : { limit: Number(limit) }) }),
    "mailbox.show": async (args) => {
      const row = await mailbox.show(seqOf(args));
      if (row === undefined) throw nodeError("node.not_found", `the mailbox has no row ${seqOf(args)}`);
      const { body, ...head } = row;
      return toJson({ ...head, ...bodyOf(body) });
    },
    "mailbox.release": async (args) => {
      await mailbox.release(seqOf(args));
      return { released: seqOf(args) };
    },
    "mailbox.drop": async (args) => {
      await mailbox.drop(seqOf(args));
      return { dropped: seqOf(args) };
    },
    "dlq.list": async (args) => {
      const { limit } = args;
      return toJson(await deadLetters.list({ ...filterOf(args), ...limit === undefined ? {} : { limit: Number(limit) } }));
    },
    "dlq.show": async (args) => {
      const letter = await deadLetters.get(seqOf(args));
      if (letter === undefined) throw nodeError("node.not_found", `there is no dead letter ${seqOf(args)}`);
      return toJson({ ...letter, ...bodyOf(await deadLetters.export(seqOf(args))) });
    },
    "dlq.stats": async () => toJson(await deadLetters.stats()),
    "dlq.redrive": async (args, { signal }) => {
      const { rate, dry_run } = args;
      return await each(args, async (which) => await deadLetters.redrive(which, {
        dryRun: dry_run === true, signal, ...rate === undefined ? {} : { rate: Number(rate) },
      }));
    },
    "dlq.purge": async (args) => await each(args, async (which) => await deadLetters.purge(which, { dryRun: args["dry_run"] === true })),
  };
}

/** By the numbers that were given, else by the filter; what single ones say is put together. */
async function each(args: Args, run: (which: { readonly seq: number } | LetterFilter) => Promise<object>): Promise<Json> {
  const { seqs } = args;
  if (!Array.isArray(seqs) || seqs.length === 0) return toJson(await run(filterOf(args)));
  const done: Record<string, unknown> = {};
  for (const seq of seqs) {
    for (const [name, value] of Object.entries(await run({ seq: Number(seq) }))) {
      const before = done[name];
      done[name] = typeof value === "number" ? Number(before ?? 0) + value : [...Array.isArray(before) ? before : [], ...value as readonly unknown[]];
    }
  }
  return toJson(done);
}

function filterOf({ reason, route, sender, since_ms, trace }: Args): LetterFilter {
  return JSON.parse(JSON.stringify({ reason, route, sender, since_ms, trace })) as LetterFilter;
}

function seqOf({ seq }: Args): number {
  if (typeof seq !== "number" || !Number.isSafeInteger(seq)) throw nodeError("node.invalid_argument", "a row has a whole number");
  return seq;
}

/** The payload as text where it is text, and all bytes. */
function bodyOf(bytes: Uint8Array): { readonly payload: string | null; readonly bytes_base64: string } {
  const read = readEnvelope(bytes);
  const payload = read.ok ? read.value.payload : undefined;
  return { payload: payload === undefined ? null : textOf(payload), bytes_base64: Buffer.from(bytes).toString("base64") };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (isFault(error)) throw error;
    return null;
  }
}

/** Views are plain data. */
function toJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
