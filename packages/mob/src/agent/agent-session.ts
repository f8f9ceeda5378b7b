/**
 * The session log of a member as the agent loop knows sessions: messages (spec: mob 3.8, 6.5).
 *
 * takes turns and their messages; gives the history before a turn with what was done of it already; promises that what it saved is
 * found after a crash, and that a call which was begun and has no result is not made again; refuses nothing; never writes the prompt and
 * the last word: those stand in the commits that begin and end the turn.
 */
import type { AgentSessions, Message } from "@atoll-run/block";
import type { Clock, Json } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { mobError } from "../errors.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { preview } from "../ledger/stored.ts";
import type { MobLimits } from "../limits.ts";
import type { Turn } from "../member/turn.ts";
import { promptOf, recordOp, signed, type NewRecord, type SessionBlock, type SessionRecord } from "../sessions/record.ts";
import { isAsBad, taintOf } from "../sessions/taint.ts";
import type { UntoldTokens } from "../sessions/tokens.ts";
import { readHistory } from "./history.ts";

export interface AgentSessionParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "recordBytesMax" | "previewBytes" | "historyBytesMax">;
  readonly member: string;
  readonly generation: number;
  readonly session: string;
  /** Undefined: the member is being stopped. */
  readonly writer: () => Writer | undefined;
  readonly turnOf: (turnId: string) => Turn | undefined;
  readonly untold: UntoldTokens;
  /** The turn was left for a decision, with a call that was not made. */
  readonly wasParked: (turnId: string) => boolean;
  /** Its answer was not good enough, and the next prompt says why. */
  readonly isRepaired: (turnId: string) => boolean;
}

type Blocks = readonly SessionBlock[];
interface Said {
  readonly role: "user" | "assistant";
  readonly content: Blocks;
}
interface Run {
  /** Messages before those of the turn. */
  readonly before: number;
  /** Blocks that are stored, by message of the turn. */
  readonly stored: number[];
  /** Its last word, unless another one is asked for. */
  said?: Blocks;
}

/** Calls that change nothing may be made again. */
const HARMLESS: ReadonlySet<string> = new Set(["read_file", "list_files", "mob_members"]);
const UNKNOWN = "outcome unknown: the process ended while this call ran; it was not made again";
const UNFINISHED: Said = { role: "assistant", content: [{ type: "text", text: "(not finished)" }] };

/** What a turn would be told of it can be read. Throws `mob.storage_degraded` for a session that is damaged. */
export async function openAgentSession(parts: AgentSessionParts): Promise<AgentSessions> {
  const { ledger: { store }, blobs, session: id, limits } = parts;
  await readHistory({ store, blobs }, { session: id, bytesMax: limits.historyBytesMax });
  const session = new AgentSession(parts);
  return { load: (id) => session.load(id), save: (id, messages) => session.save(id, messages), hold: () => ({ [Symbol.dispose]: () => undefined }) };
}

class AgentSession {
  readonly #parts: AgentSessionParts;
  readonly #runs = new Map<string, Run>();

  constructor(parts: AgentSessionParts) {
    this.#parts = parts;
  }

  async load(turnId: string): Promise<readonly Message[]> {
    const { ledger: { store }, blobs, session, limits } = this.#parts;
    const { snapshot, tail } = await readHistory({ store, blobs }, { session, bytesMax: limits.historyBytesMax, turnId });
    await this.#taint(turnId, [...snapshot === undefined ? [] : [snapshot], ...tail]);
    const turns = byTurn(tail);
    const before = snapshot === undefined ? [] : summaryOf(promptOf(snapshot.blocks));
    const history = [...before, ...[...turns].flatMap(([id, records]) => id === turnId ? [] : ended(toMessages(records)))];
    const records = turns.get(turnId) ?? [];
    this.#parts.untold.tell(turnId, records.reduce((sum, { tokens }) => sum + tokens, 0));
    const known = toMessages(records);
    const own = this.#parts.isRepaired(turnId) ? await this.#askAgain(turnId, known) : await this.#goOn(turnId, withoutRepairs(known));
    this.#runs.set(turnId, { before: history.length, stored: own.map(({ content }) => content.length) });
    return [...history, ...own] as unknown as readonly Message[];
  }

  async save(turnId: string, messages: readonly Message[]): Promise<void> {
    const run = this.#runs.get(turnId) ?? { before: 0, stored: [] };
    this.#runs.set(turnId, run);
    const own = messages.slice(run.before);
    const records: NewRecord[] = [];
    // The first is the prompt, which was stored when the turn was accepted.
    for (const [at, { role, content }] of own.entries()) {
      const blocks = (typeof content === "string" ? [{ type: "text", text: content }] : content) as unknown as Blocks;
      const stored = run.stored[at] ?? 0;
      const isLastWord = at === own.length - 1 && role === "assistant" && callsIn(blocks).length === 0;
      if (isLastWord) run.said = blocks;
      if (at === 0 || isLastWord || blocks.length <= stored) continue;
      records.push(this.#record(turnId, role, blocks.slice(stored)));
      run.stored[at] = blocks.length;
    }
    await this.#write(turnId, records);
  }

  /** Who goes on with what others wrote is tainted by it as if it had read it now. */
  async #taint(turnId: string, records: readonly SessionRecord[]): Promise<void> {
    const { ledger, member, generation, turnOf } = this.#parts;
    const taint = taintOf(records);
    const turn = turnOf(turnId);
    if (turn === undefined || isAsBad(turn.taint, taint)) return;
    const { run_id, step_id } = turn;
    const writer = this.#writer();
    await ledger.append(writer, [{
      kind: "peer_content_ingested", source: "member", member, generation, fence: writer.epoch, turn_id: turnId, ...run_id === undefined ? {} : { run_id },
      ...step_id === undefined ? {} : { step_id }, data: { taint, grant: "session" },
    }]);
  }

  /** What it said last is not the last word: it stands in the log before what is wrong with it. */
  async #askAgain(turnId: string, own: readonly Said[]): Promise<readonly Said[]> {
    const { said } = this.#runs.get(turnId) ?? {};
    if (said === undefined) return own;
    await this.#write(turnId, [this.#record(turnId, "assistant", said)]);
    return [...own, { role: "assistant", content: said }];
  }

  /** What was done of the turn, so that it can go on: a call that may have been made gets a result that says so. */
  async #goOn(turnId: string, own: readonly Said[]): Promise<readonly Said[]> {
    const last = own.at(-1);
    if (last === undefined) return own;
    if (last.role === "assistant" && callsIn(last.content).length === 0) return own.slice(0, -1);
    const asked = own.findLastIndex(({ role }) => role === "assistant");
    const answered = new Set(own.slice(asked + 1).flatMap(({ content }) => content.map((block) => block["tool_use_id"])));
    const [begun] = asked < 0 ? [] : callsIn((own[asked] as Said).content).filter(({ id }) => !answered.has(id as Json));
    if (begun === undefined || this.#parts.wasParked(turnId) || HARMLESS.has(String(begun["name"]))) return own;
    const result: SessionBlock = { type: "tool_result", tool_use_id: begun["id"] as Json, content: UNKNOWN, is_error: true };
    await this.#write(turnId, [this.#record(turnId, "user", [result])]);
    return asked === own.length - 1 ? [...own, { role: "user", content: [result] }] : [...own.slice(0, -1), { role: "user", content: [...last.content, result] }];
  }

  #record(turn_id: string, role: Said["role"], blocks: Blocks): NewRecord {
    const { member, turnOf, untold, clock } = this.#parts;
    const said = role === "assistant";
    const own = signed(blocks, { origin: said ? member : "tool", taint: turnOf(turn_id)?.taint });
    return { turn_id, role: said ? "assistant" : "tool", blocks: own, tokens: said ? untold.take(turn_id) : 0, ts_ms: clock.now() };
  }

  async #write(turnId: string, records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    const { ledger, session } = this.#parts;
    const writer = this.#writer();
    const entries = records.flatMap(({ blocks }) => blocks.flatMap((block) => this.#entryOf(turnId, writer, block)));
    await ledger.append(writer, entries, await Promise.all(records.map((record) => recordOp(session, record, this.#parts))));
  }

  #writer(): Writer {
    const writer = this.#parts.writer();
    if (writer === undefined) throw mobError("mob.interrupted", `${this.#parts.member} is being stopped`);
    return writer;
  }

  #entryOf(turn_id: string, { epoch }: Writer, block: SessionBlock): NewEntry[] {
    const { member, generation, session, limits } = this.#parts;
    const about = { source: "member", member, generation, fence: epoch, turn_id, session: { id: session } };
    const short = (value: Json | undefined): string => preview(typeof value === "string" ? value : JSON.stringify(value ?? null), limits.previewBytes);
    switch (block.type) {
      case "text": return [{ ...about, kind: "text_complete", data: { text: short(block["text"]) } }];
      case "tool_use": return [{ ...about, kind: "tool_call_requested", data: { call: block["id"] ?? null, tool: block["name"] ?? null, input: short(block["input"]) } }];
      case "tool_result":
        return [{ ...about, kind: "tool_result_received", data: { call: block["tool_use_id"] ?? null, result: short(block["content"]), ok: block["is_error"] !== true } }];
      default: return [];
    }
  }
}

/** What the newest snapshot stands for. */
function summaryOf(text: string): readonly Said[] {
  return [{ role: "user", content: [{ type: "text", text: `What was before, in short:\n${text}` }] }, { role: "assistant", content: [{ type: "text", text: "(read)" }] }];
}

/** In the order in which they were begun, each with its prompt first; one whose prompt is too long ago is left out. */
function byTurn(records: readonly SessionRecord[]): ReadonlyMap<string, readonly SessionRecord[]> {
  const prompts = new Map<string, SessionRecord>();
  const turns = new Map<string, SessionRecord[]>();
  for (const record of records) {
    const { turn_id, role } = record;
    if (turn_id === null || role === "note" || role === "snapshot") continue;
    if (role === "user") {
      prompts.set(turn_id, record);
      continue;
    }
    const prompt = prompts.get(turn_id);
    const turn = turns.get(turn_id) ?? (prompt === undefined ? undefined : [prompt]);
    if (turn !== undefined) turns.set(turn_id, [...turn, record]);
  }
  return turns;
}

function toMessages(records: readonly SessionRecord[]): readonly Said[] {
  const messages: Said[] = [];
  for (const { role, blocks } of records) {
    const last = messages.at(-1);
    if (role === "user") messages.push({ role: "user", content: [{ type: "text", text: promptOf(blocks) }] });
    else if (role === "assistant") messages.push({ role: "assistant", content: blocks.map(toModelBlock) });
    else if (last?.role === "user") messages[messages.length - 1] = { role: "user", content: [...last.content, ...blocks.map(toModelBlock)] };
    else messages.push({ role: "user", content: blocks.map(toModelBlock) });
  }
  return messages;
}

/** The last word stands in the log as the output of the turn, which may be any JSON. */
function toModelBlock(block: SessionBlock): SessionBlock {
  const { origin: _, taint: __, ...plain } = block;
  return plain.type === "json" || plain.type === "ref" || plain.type === "omitted" ? { type: "text", text: promptOf([plain]) } : plain;
}

/** After a crash an answer that was asked for again is not there: it is asked for, and judged, anew. */
function withoutRepairs(own: readonly Said[]): readonly Said[] {
  const isRepair = (at: number): boolean => at > 1 && own[at]?.role === "user" && own[at].content.every(({ type }) => type === "text");
  return own.filter((_, at) => !isRepair(at) && !isRepair(at + 1));
}

/** A turn that is over, whatever it came to: as a model may be told of it. */
function ended(messages: readonly Said[]): readonly Said[] {
  const last = messages.at(-1);
  if (last === undefined) return [];
  if (last.role === "user") return [...messages, UNFINISHED];
  return callsIn(last.content).length === 0 ? messages : [...messages.slice(0, -1), UNFINISHED];
}

function callsIn(blocks: Blocks): readonly SessionBlock[] {
  return blocks.filter(({ type }) => type === "tool_use");
}
