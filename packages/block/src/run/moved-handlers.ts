/** Handlers of scripts: those that moved are kept as images, so that a restarted handler isle has them again. */
import type { BusEvent, Handle } from "../bus/dispatcher.ts";
import type { TraceContext } from "@atoll-run/core";
import type { MovedFunction, Role } from "../isle/thread/protocol.ts";
import type { RunIsles } from "./isles.ts";

const RESTARTS_MAX = 3;
const WINDOW_MS = 60_000;

interface Image {
  readonly kind: string;
  readonly fn: MovedFunction;
  /** Reference in the isle that lives now. */
  ref: Promise<number>;
}

export class MovedHandlers {
  readonly #isles: RunIsles;
  readonly #warn: (text: string) => void;
  readonly #images = new Map<string, Image>();
  readonly #restarts: number[] = [];

  constructor(isles: RunIsles, warn: (text: string) => void) {
    this.#isles = isles;
    this.#warn = warn;
  }

  async add(kind: string, fn: MovedFunction): Promise<Handle> {
    const image: Image = { kind, fn, ref: this.#isles.install(fn) };
    await image.ref;
    this.#images.set(kind, image);
    return async (event, o) => this.#isles.handle("handler", { ...event, ref: await image.ref, ...left(o) }, { ...o, ...traceOf(event) });
  }

  /** A handler that lives where it was registered. */
  stay(handler: { ref: number; isle: Role }): Handle {
    return (event, o) => this.#isles.handle(handler.isle, { ...event, ref: handler.ref, ...left(o) }, { ...o, ...traceOf(event) });
  }

  /** Opens the handler isle again; false when it has died too often by its own fault. */
  restart(now: number, counted: boolean): boolean {
    while (this.#restarts.length > 0 && now - (this.#restarts[0] as number) > WINDOW_MS) this.#restarts.shift();
    if (this.#restarts.length >= RESTARTS_MAX) return false;
    if (counted) this.#restarts.push(now);
    this.#isles.open("handler");
    for (const image of this.#images.values()) {
      image.ref = this.#isles.install(image.fn);
      image.ref.catch((error: unknown) => this.#warn(`handler for '${image.kind}' could not be restored: ${String(error)}`));
    }
    return true;
  }
}

function left(o: { leftMs?: number }): { leftMs?: number } {
  return o.leftMs === undefined ? {} : { leftMs: o.leftMs };
}

function traceOf(event: BusEvent): { trace?: TraceContext } {
  return event.trace === undefined ? {} : { trace: event.trace };
}
