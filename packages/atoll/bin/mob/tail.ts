/** `atoll mob tail`: what has happened, and what happens, a line for each entry of the ledger. */
import type { Entry, MobClient, StreamEvent, Topic } from "@atoll-run/client";
import { EXIT } from "../exit.ts";
import { coloured, wantsColour } from "../output/colours.ts";
import { say } from "../output/terminal.ts";
import { misuse, noWords, type VerbCall } from "../tier/verb.ts";
import { findRunning } from "./running.ts";

/** Entries that are shown without a cursor. */
const RECENT = 20;
const PAGE = 1_000;
const DATA_CHARS = 100;

export async function tail(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob } = await findRunning(call);
  const after = call.flag("after")?.text;
  const follow = call.flag("follow") !== undefined;
  const topics = topicsOf(call, follow);
  const print = printer(call);
  // Whoever asks for topics is not told of others before.
  const from = follow && after !== undefined ? after : call.flag("topics") === undefined ? await tellPast(mob, { call, after, print }) : (await mob.ledger.head()).head;
  if (!follow) return EXIT.ok;
  for await (const event of mob.stream({ topics, after: from })) await tellEvent(event, { call, print });
  return EXIT.ok;
}

type Print = (entry: Entry) => Promise<void>;

function topicsOf(call: VerbCall, follow: boolean): readonly Topic[] {
  const [topics, member] = [call.flag("topics")?.text, call.flag("member")?.text];
  if (topics !== undefined && !follow) throw misuse("--topics", "needs --follow", "without it --member says whose entries are shown");
  if (topics !== undefined && member !== undefined) throw misuse("--member", "excludes --topics", "write the topic member:ID");
  if (member !== undefined) return [`member:${member}`];
  return topics === undefined ? ["entries"] : topics.split(",").map((topic) => topic.trim() as Topic);
}

/** Gives the cursor behind what was told. */
async function tellPast(
  mob: MobClient, { call, after, print }: { readonly call: VerbCall; readonly after: string | undefined; readonly print: Print },
): Promise<string> {
  const member = call.flag("member")?.text;
  const of = member === undefined ? {} : { member };
  let page = await mob.ledger.query({ ...of, ...after === undefined ? { limit: RECENT } : { after, limit: PAGE } });
  for (;;) {
    for (const entry of page.entries) await print(entry);
    if (after === undefined || page.exhausted) return page.head;
    page = await mob.ledger.query({ ...of, after: page.next, limit: PAGE });
  }
}

async function tellEvent(event: StreamEvent, { call, print }: { readonly call: VerbCall; readonly print: Print }): Promise<void> {
  if (event.event === "entry") return await print(event.data);
  if (call.json) return await say(JSON.stringify(event));
  if (event.event === "gap") await say(`-- entries ${event.data.from} to ${event.data.to} are gone: ${event.data.reason}`);
  else if (event.event === "row") await say(rowLine(event.data));
  else if (event.event === "bye") await say(`-- the mob stops serving: ${event.data.reason}`);
}

function rowLine({ member, row }: Extract<StreamEvent, { readonly event: "row" }>["data"]): string {
  return row === null ? `-- ${member} is gone` : `-- ${member} is ${row.state}, ${row.phase}, ${row.queue.depth} turns open`;
}

function printer(call: VerbCall): Print {
  const colour = wantsColour(process.stdout, process.env);
  return (entry) => say(call.json ? JSON.stringify(entry) : lineOf(entry, colour));
}

function lineOf({ seq, ts_ms, kind, class: of, member, turn_id, run_id, principal, data }: Entry, colour: boolean): string {
  const paint = (text: string, how: Parameters<typeof coloured>[1]): string => (colour ? coloured(text, how) : text);
  const about = [member, turn_id, run_id, principal === undefined ? undefined : `by ${principal}`].filter((one) => one !== undefined).join(" ");
  const text = Object.keys(data).length === 0 ? "" : JSON.stringify(data);
  const more = text.length > DATA_CHARS ? `${text.slice(0, DATA_CHARS)}…` : text;
  const how = of === "error" || kind.endsWith("failed") || kind.endsWith("dead") ? "red" : of === "approval" ? "yellow" : "bold";
  return [paint(`${seq} ${new Date(ts_ms).toISOString()}`, "dim"), paint(kind, how), about, paint(more, "dim")].filter((part) => part !== "").join("  ");
}
