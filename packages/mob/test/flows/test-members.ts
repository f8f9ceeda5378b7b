/** Members that answer by a function, with mailboxes that outlive a kill of the mob: the same key is the same turn. */
import type { Json } from "@atoll-run/core";
import { mobError, type MemberHost, type NewEntry, type Ticket, type Turn, type TurnAsk } from "@atoll-run/mob";
import { FINAL_TURNS } from "@atoll-run/mob/internal";
import type { House } from "../support.ts";

export type Handler = (ask: TurnAsk, attempt: number) => Json | Promise<Json>;

interface Mail {
  readonly ask: TurnAsk;
  readonly turnId: string;
  readonly over: Promise<Turn>;
  readonly end: (turn: Turn) => void;
  turn: Turn;
}

type Sender = Pick<MemberHost, "send" | "wait" | "cancel">;

export class TestMembers {
  readonly asked: string[] = [];
  readonly cancelled: string[] = [];
  /** Sends that are refused before they are stored, once each. */
  readonly refuse: Error[] = [];
  running = 0;
  readonly #mail = new Map<string, Mail>();
  readonly #handler: Handler;
  #house: House | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  /** For one incarnation of the mob; after `kill` of it nothing of it goes through any more. */
  host(house: House): Sender & { kill(): void } {
    this.#house = house;
    let dead = false;
    const alive = <T>(act: () => Promise<T>): Promise<T> => (dead ? Promise.reject(mobError("mob.shutting_down", "it was killed")) : act());
    return {
      kill: () => { dead = true; },
      send: (ask) => alive(() => this.#send(ask)).then((ticket) => alive(async () => ticket)),
      wait: (id, { signal }) => alive(() => this.#wait(id, signal)).then((turn) => alive(async () => turn)),
      cancel: (id) => alive(async () => this.#cancel(id)),
    };
  }

  async #send(ask: TurnAsk): Promise<Ticket> {
    await tick();
    const refusal = this.refuse.shift();
    if (refusal !== undefined) throw refusal;
    const name = `${ask.to} ${ask.key ?? ""}`;
    const known = this.#mail.get(name);
    if (known !== undefined) {
      if (JSON.stringify(known.ask.content) !== JSON.stringify(ask.content)) throw mobError("mob.conflict", "other content");
      return ticket(known.turn, true);
    }
    const over = Promise.withResolvers<Turn>();
    const turnId = `t_${this.#mail.size}`;
    const turn: Turn = {
      turn_id: turnId, member: ask.to, generation: 1, conversation: ask.conversation ?? "", from: ask.from, principal: ask.principal, state: "queued",
      attempt: 1, deadline_at_ms: 0, output: null, error: null, queued_at_ms: 0, started_at_ms: null, ended_at_ms: null, cursor: null, seq: 0,
    };
    const mail: Mail = { ask, turnId, over: over.promise, end: over.resolve, turn };
    this.#mail.set(name, mail);
    this.asked.push(ask.key ?? "");
    await this.#say(mail, "turn_queued", {});
    void this.#run(mail);
    return ticket(mail.turn, false);
  }

  async #run(mail: Mail): Promise<void> {
    this.running += 1;
    try {
      const output = await this.#handler(mail.ask, Number(mail.ask.key?.split("/").at(-1)));
      await this.#end(mail, { state: "done", output });
    } catch (error) {
      await this.#end(mail, { state: "failed", error: { code: "mob.tool_failed", text: (error as Error).message } });
    } finally {
      this.running -= 1;
    }
  }

  async #end(mail: Mail, end: Partial<Turn> & { readonly state: Turn["state"] }): Promise<void> {
    if (FINAL_TURNS.has(mail.turn.state)) return;
    mail.turn = { ...mail.turn, ...end };
    await this.#say(mail, `turn_${end.state}` as NewEntry["kind"], { ...end.output === undefined ? {} : { output: end.output }, ...end.error ? { error: { ...end.error } } : {} });
    mail.end(mail.turn);
  }

  async #wait(id: string, signal: AbortSignal | undefined): Promise<Turn> {
    const mail = this.#byId(id);
    signal?.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    signal?.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
    return Promise.race([mail.over, aborted.promise]);
  }

  async #cancel(id: string): Promise<Turn> {
    this.cancelled.push(id);
    await this.#end(this.#byId(id), { state: "cancelled" });
    return this.#byId(id).turn;
  }

  #byId(id: string): Mail {
    const mail = [...this.#mail.values()].find(({ turnId }) => turnId === id);
    if (mail === undefined) throw mobError("mob.not_found", `there is no turn ${id}`);
    return mail;
  }

  /** In a scope of its own: it lives when the mob is killed. */
  async #say({ ask, turnId }: Mail, kind: NewEntry["kind"], data: NewEntry["data"]): Promise<void> {
    const { ledger } = this.#house as House;
    const writer = { scope: "members", epoch: null as never };
    await ledger.append(writer, [{ kind, source: "member", member: ask.to, turn_id: turnId, ...ask.run, data }]);
  }
}

function ticket({ turn_id, member, generation, conversation, state, seq }: Turn, duplicate: boolean): Ticket {
  return { turn_id, member, generation, conversation, state, seq, duplicate };
}

function tick(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
