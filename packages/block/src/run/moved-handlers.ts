/** Handlers of scripts: those that moved are kept as images, so that a restarted handler isle has them again. */
import type { Handle, HandleOptions } from "../bus/dispatcher.ts";
import type { BusEvent } from "../bus/event.ts";
import type { BlockLimits } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import type { ScriptHandler } from "../bridges/bus.ts";
import type { IsleEvent, MovedFunction } from "../isle/thread/protocol.ts";
import type { EventOptions, RunIsles } from "./isles.ts";

interface Image {
  readonly kind: string;
  readonly fn: MovedFunction;
  /** Reference in the isle that lives now. */
  ref: Promise<number>;
}

export type RestartLimits = Pick<BlockLimits, "handlerRestartsMax" | "handlerRestartWindowMs">;

export class MovedHandlers {
  readonly #isles: RunIsles;
  readonly #limits: RestartLimits;
  readonly #warn: (text: string) => void;
  readonly #images = new Map<string, Image>();
  /** Lets go of the function behind a kind: it was replaced. */
  readonly #release = new Map<string, () => void>();
  readonly #restarts: number[] = [];

  constructor(isles: RunIsles, limits: RestartLimits, warn: (text: string) => void) {
    this.#isles = isles;
    this.#limits = limits;
    this.#warn = warn;
  }

  /** Makes a function of a script ready to handle a kind. `placed` is to be called once it does: it lets go of the one before. */
  async add(kind: string, handler: ScriptHandler): Promise<{ handle: Handle; placed: () => void }> {
    if (!("moved" in handler)) {
      const placed = (): void => {
        this.#images.delete(kind);
        this.#replace(kind, () => this.#isles.release(handler.isle, handler.ref));
      };
      return { handle: (event, o) => this.#isles.handle(handler.isle, toIsle(event, handler.ref, o), asked(event, o)), placed };
    }
    if (!this.#isles.isOpen("handler")) this.#isles.open("handler");
    const image: Image = { kind, fn: handler.moved, ref: this.#isles.install(handler.moved) };
    await image.ref;
    const release = (): void => {
      image.ref.then((ref) => this.#isles.release("handler", ref), () => undefined);
    };
    const placed = (): void => {
      this.#images.set(kind, image);
      this.#replace(kind, release);
    };
    return {
      handle: async (event, o) => this.#isles.handle("handler", toIsle(event, await image.ref, o), asked(event, o)), placed,
    };
  }

  #replace(kind: string, release: () => void): void {
    this.#release.get(kind)?.();
    this.#release.set(kind, release);
  }

  /** Opens the handler isle again; false when it has died too often by its own fault. */
  restart(now: number, counted: boolean): boolean {
    const { handlerRestartsMax, handlerRestartWindowMs } = this.#limits;
    while (this.#restarts.length > 0 && now - (this.#restarts[0] as number) > handlerRestartWindowMs) this.#restarts.shift();
    if (this.#restarts.length >= handlerRestartsMax) return false;
    if (counted) this.#restarts.push(now);
    this.#isles.open("handler");
    for (const image of this.#images.values()) {
      image.ref = this.#isles.install(image.fn).catch((cause: unknown) => {
        this.#warn(`handler for '${image.kind}' could not be restored: ${String(cause)}`);
        throw blockError("bus.no_handler", `no Lua handler for kind \`${image.kind}\``, { facts: { kind: image.kind }, cause });
      });
      image.ref.catch(() => undefined);
    }
    return true;
  }
}

/** What of an event crosses into an isle. */
function toIsle({ seq, kind, id, payload, meta, raw, origin }: BusEvent, ref: number, o: { leftMs?: number }): IsleEvent {
  return {
    seq, kind, id, payload, meta, ref, ...(o.leftMs === undefined ? {} : { leftMs: o.leftMs }),
    ...(raw === undefined ? {} : { raw }), ...(origin === undefined ? {} : { tx: true }),
  };
}

/** What stays outside: who asked. */
function asked({ trace, origin }: BusEvent, o: HandleOptions): EventOptions {
  return { stop: o.stop, aside: () => o.aside(), ...(trace === undefined ? {} : { trace }), ...(origin === undefined ? {} : { origin }) };
}
