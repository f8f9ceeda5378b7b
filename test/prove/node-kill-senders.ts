/** Clients of the nodes that are killed: each asks again, under the same id, until it has its answer. */
import type { NodeHandle } from "@atoll-run/atoll/node";
import { isFault } from "@atoll-run/core";
import { type Entry, Ledger } from "./fixtures/kill-services.ts";

/** Under way of one sender. */
const WINDOW = 4;
const ASK_MS = 5_000;
const AGAIN_MS = 50;
const STREAM_LINES_MAX = 40;
const RECEIPT_MS = 1_500;
/** A node that has just come up may not be offered yet; nobody was asked then. */
const OFFERED_MS = 30_000;

export interface Asked {
  readonly n: number;
  readonly kind: "call" | "tell" | "stream";
  /** Times on one counter: an answer that came before another was asked is the earlier one. */
  readonly firstAt: number;
  answeredAt: number | undefined;
  times: number;
  /** The business error, as it should be. */
  refused: boolean;
}

export interface Sender {
  readonly name: string;
  readonly node: "ledger" | "book";
  readonly asked: readonly Asked[];
}

export interface SendersParts {
  readonly front: NodeHandle;
  readonly frontId: string;
  readonly random: () => number;
  /** Receipts that came, as `sender-n`. */
  readonly receipts: ReadonlyMap<string, number>;
  readonly fill: number;
  /** Ids of the nodes: the same in all their lives. */
  readonly to: Readonly<Record<string, string>>;
  /** Bounds all of it. */
  readonly signal: AbortSignal;
}

export class Senders {
  readonly all: Sender[] = [];
  readonly wrong: string[] = [];
  /** Failed asks by code. */
  readonly failures = new Map<string, number>();
  readonly #parts: SendersParts;
  readonly #running: Promise<unknown>[] = [];
  #tick = 0;
  #paused = false;
  #ended = false;
  #answers = 0;

  constructor(parts: SendersParts) {
    this.#parts = parts;
  }

  get answers(): number {
    return this.#answers;
  }

  /** Asks nothing new while it is true. */
  pause(paused: boolean): void {
    this.#paused = paused;
  }

  start(name: string, node: Sender["node"], kinds: readonly Asked["kind"][]): void {
    const asked: Asked[] = [];
    this.all.push({ name, node, asked });
    this.#running.push(this.#send({ name, node, asked }, kinds));
  }

  /** Ends when everything that was asked is answered. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#running);
  }

  /** Asks for answers that are there: they must be the same, and must do nothing again. */
  async askAgain(share: number): Promise<void> {
    const some = this.all.flatMap((sender) => sender.asked.filter(({ kind }) => kind !== "stream" && this.#parts.random() < share)
      .map((one) => [sender, one] as const));
    for (let i = 0; i < some.length; i += WINDOW) {
      await Promise.all(some.slice(i, i + WINDOW).map(async ([sender, one]) => {
        const said = await this.#whenOffered(sender, one).catch((error: unknown) => `failed: ${codeOf(error)}`);
        const right = one.kind === "tell" ? "duplicate" : one.refused ? "refused" : "answered";
        if (said !== right) this.wrong.push(`${sender.name}-${one.n}, asked again after its answer: ${said} instead of ${right}`);
      }));
    }
  }

  /** Waits for a node that the realm does not name, and for nothing else. */
  async #whenOffered(sender: Sender, one: Asked): Promise<string> {
    for (const late = performance.now() + OFFERED_MS;;) {
      try {
        return await this.#ask(sender, one);
      } catch (error) {
        if (codeOf(error) !== "node.not_found" || performance.now() > late) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  async #send(sender: Sender & { readonly asked: Asked[] }, kinds: readonly Asked["kind"][]): Promise<void> {
    const underWay = new Set<Promise<void>>();
    const window = kinds.includes("stream") ? 1 : WINDOW;
    for (let n = 0; !this.#ended && !this.#parts.signal.aborted; n++) {
      while (this.#paused && !this.#ended) await pause(5);
      const kind = kinds[n % kinds.length] ?? "call";
      const one: Asked = { n, kind, firstAt: ++this.#tick, answeredAt: undefined, times: 0, refused: false };
      sender.asked.push(one);
      const asking = this.#untilAnswered(sender, one).finally(() => underWay.delete(asking));
      underWay.add(asking);
      while (underWay.size >= window) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  async #untilAnswered(sender: Sender, one: Asked): Promise<void> {
    while (!this.#parts.signal.aborted) {
      one.times += 1;
      try {
        const said = await this.#ask(sender, one);
        one.refused = said === "refused";
        one.answeredAt = ++this.#tick;
        this.#answers += 1;
        if (one.refused !== (isRefused(one))) this.wrong.push(`${sender.name}-${one.n} was ${said}`);
        return;
      } catch (error) {
        const code = codeOf(error);
        this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
        await pause(AGAIN_MS);
      }
    }
    this.wrong.push(`${sender.name}-${one.n}, a ${one.kind}, got no answer: ${JSON.stringify(Object.fromEntries(this.failures))}`);
  }

  async #ask(sender: Sender, one: Asked): Promise<"answered" | "refused" | "accepted" | "duplicate"> {
    const { front, fill } = this.#parts;
    const to = this.#parts.to[sender.node] ?? "";
    const entry = this.#entry(sender, one);
    const o = { to, requestId: `${sender.name}-${one.n}`, deadlineMs: ASK_MS, signal: this.#parts.signal };
    if (one.kind === "stream") return this.#stream(to, entry);
    const sized = fill === 0 ? entry : { ...entry, fill: "x".repeat(fill) };
    if (sender.node === "book") return this.#askBook(sized, one.kind, o);
    if (one.kind === "tell") {
      const { level, duplicate } = await front.tell(Ledger.routes.Tell, sized, o);
      if (level !== "accepted") throw new Error(`a tell was ${level}`);
      return duplicate ? "duplicate" : "accepted";
    }
    const result = await front.callResult(Ledger.routes.Call, sized, o);
    if (!result.ok) return "refused";
    return sameNumber(result.value, one.n);
  }

  async #askBook(entry: Entry, kind: "call" | "tell", o: { to: string; requestId: string; deadlineMs: number; signal: AbortSignal }): Promise<
    "answered" | "refused" | "accepted" | "duplicate"
  > {
    const { front } = this.#parts;
    const body = new TextEncoder().encode(JSON.stringify(entry));
    if (kind === "tell") {
      const { duplicate } = await front.tellRaw("kill.Book.Tell", body, { ...o, orderKey: entry.sender });
      return duplicate ? "duplicate" : "accepted";
    }
    try {
      const reply = await front.callRaw("kill.Book.Call", body, { ...o, orderKey: entry.sender });
      return sameNumber(JSON.parse(new TextDecoder().decode(reply)) as { n: number }, entry.n);
    } catch (error) {
      if (codeOf(error) === "node.business") return "refused";
      throw error;
    }
  }

  /** It counts as answered when the message is handled that its reader sends at its end. */
  async #stream(to: string, entry: Entry): Promise<"answered"> {
    const { front, random, receipts, signal } = this.#parts;
    const of = 1 + Math.floor(random() * STREAM_LINES_MAX);
    const until = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    await using stream = await front.openStream(to, Ledger.streams.Lines, { deadlineMs: ASK_MS, signal: until });
    for (let line = 0; line < of; line++) await stream.write({ entry, line, of }, { signal: until });
    await stream.end({ signal: until });
    const late = performance.now() + RECEIPT_MS;
    while (!receipts.has(`${entry.sender}-${entry.n}`)) {
      if (performance.now() > late) throw new Error("no receipt");
      await pause(2);
    }
    return "answered";
  }

  /** Every third wants a receipt, and every stream. */
  #entry({ name }: Sender, one: Asked): Entry {
    return {
      sender: name, n: one.n, ...wantsReceipt(one) ? { receipt: this.#parts.frontId } : {},
      ...isPoison(one) ? { poison: true as const } : {}, ...isRefused(one) ? { refuse: true as const } : {},
    };
  }
}

export function wantsReceipt({ n, kind }: Asked): boolean {
  return kind === "stream" || n % 3 === 0;
}

/** What is told in vain at first: it becomes a dead letter. */
export function isPoison({ n, kind }: Asked): boolean {
  return kind === "tell" && n % 17 === 3;
}

function isRefused({ n, kind }: Asked): boolean {
  return kind === "call" && n % 19 === 4;
}

function sameNumber(answer: { readonly n: number }, n: number): "answered" {
  if (answer.n !== n) throw new Error(`the answer of ${n} is that of ${answer.n}`);
  return "answered";
}

export function codeOf(error: unknown): string {
  return isFault(error) ? error.code : (error as Error).message;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
