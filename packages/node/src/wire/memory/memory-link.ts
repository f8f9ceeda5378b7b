/** Both ends of a link inside a process. Identity needs no proof: the net knows who is who. */
import {
  FEATURES, formatNodeId, type Clock, type Lane, type Link, type LinkEnd, type LinkPeer, type NodeId,
} from "@atoll-run/core";
import type { Marks } from "../water-marks.ts";
import { Pipe } from "./pipe.ts";
import type { NetTroubles } from "./troubles.ts";
import type { Soon } from "./soon.ts";

export interface LinkParts {
  readonly clock: Clock;
  readonly soon: Soon;
  readonly marks: Marks;
  readonly troubles?: NetTroubles | undefined;
}

export interface MemoryLink extends Link {
  /** Where what comes in for this end arrives. */
  readonly inbox: Pipe;
  /** Ends both ends at once; what is on its way is lost. */
  cut(): void;
}

const BROKEN: LinkEnd = { code: 1006, reason: "the connection broke", broken: true };
const ALL_FEATURES = new Set(FEATURES);

/** The end of who dialled, and the other one. */
export function memoryLinks(parts: LinkParts, dialler: NodeId, target: NodeId): readonly [MemoryLink, MemoryLink] {
  const names = [formatNodeId(dialler), formatNodeId(target)] as const;
  const over = [Promise.withResolvers<LinkEnd>(), Promise.withResolvers<LinkEnd>()] as const;
  const { troubles, ...rest } = parts;
  const pipe = (from: string, to: string, ended: (end: LinkEnd) => void): Pipe => new Pipe({
    ...rest, ended, fate: troubles === undefined ? undefined : (lane) => troubles.fate(from, to, lane),
  });
  // The end that arrives is that of the hearer, and it ends the way back too.
  const there: Pipe = pipe(names[0], names[1], (end) => {
    over[1].resolve(end);
    back.cut(end);
  });
  const back: Pipe = pipe(names[1], names[0], (end) => {
    over[0].resolve(end);
    there.cut(end);
  });
  const gone = over[0].promise.then(() => false);
  const probe = (withinMs: number): Promise<boolean> => Promise.race([gone, roundTrip(parts, names, withinMs)]);
  const cut = (): void => there.cut(BROKEN);
  const ends = { over: [over[0].promise, over[1].promise] as const, probe, cut };
  return [
    toLink(target, { ...ends, inbound: false, out: there, inbox: back, ended: ends.over[0] }),
    toLink(dialler, { ...ends, inbound: true, out: back, inbox: there, ended: ends.over[1] }),
  ];
}

interface End {
  readonly inbound: boolean;
  readonly out: Pipe;
  readonly inbox: Pipe;
  readonly ended: Promise<LinkEnd>;
  readonly over: readonly Promise<LinkEnd>[];
  readonly probe: (withinMs: number) => Promise<boolean>;
  readonly cut: () => void;
}

function toLink(id: NodeId, end: End): MemoryLink {
  const peer: LinkPeer = { id, proof: "key", features: ALL_FEATURES, expires_at_ms: Infinity };
  return {
    wire: "memory", peer, inbound: end.inbound, inbox: end.inbox, ended: end.ended, cut: end.cut, probe: end.probe,
    get bufferedBytes() {
      return end.out.water.bytes;
    },
    send: (lane: Lane, body: Uint8Array) => end.out.send(lane, body),
    drained: () => end.out.water.drained(),
    close: async (code, reason) => {
      end.out.end({ code, reason, broken: false });
      await Promise.all(end.over);
    },
  };
}

/** Whether a body would come there and back. */
async function roundTrip(parts: LinkParts, [here, there]: readonly [string, string], withinMs: number): Promise<boolean> {
  const ways = [[here, there], [there, here]] as const;
  let delayMs = 0;
  for (const [from, to] of parts.troubles === undefined ? [] : ways) {
    const [first] = parts.troubles?.fate(from, to, "rpc_signal") ?? [];
    delayMs += first ?? Infinity;
  }
  const waitMs = Math.min(delayMs, withinMs);
  if (waitMs > 0) await wait(parts.clock, waitMs);
  return delayMs <= withinMs;
}

function wait(clock: Clock, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  clock.after(ms, resolve);
  return promise;
}
