/** A node's side of a tiny realm, on a clock that the test moves. */
import { randomBytes } from "node:crypto";
import { parseType, type ActorType, type Fault } from "@atoll-run/core";
import {
  createRealmClient, newNodeKey, NODE_LIMITS, type Load, type RealmClientOptions,
} from "@atoll-run/node/internal";
import { ManualClock, memoryState, until } from "@atoll-run/testkit";
import { tinyRealm } from "../identity/tiny-realm.ts";
import { tinySignaling } from "./tiny-signaling.ts";

const TYPE = parseType("acme:echo:1.0.0") as ActorType;
const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));

export const IDLE: Load = { queued: 0, running: 0, hard_max: 100, idle_shares: [1], draining: false };

export async function world(o: { readonly random?: number; readonly discovery?: RealmClientOptions["discovery"] } = {}) {
  const clock = new ManualClock();
  const realm = await tinyRealm(clock);
  const signaling = tinySignaling(clock, realm);
  const key = await newNodeKey(bytes);
  const told: string[] = [];
  const faults: Fault[] = [];
  const revoked: string[] = [];
  const logged: string[] = [];
  const client = createRealmClient({
    door: signaling.door, store: memoryState(), scope: "echo", epoch: null, key, clock, bytes,
    log: { write: ({ level, msg }) => void logged.push(`${level} ${msg}`) },
    random: () => o.random ?? 0.5,
    report: (name, fact) => {
      if ("error" in fact) faults.push(fact.error);
      else told.push(`${name}${"attempt" in fact ? ` ${fact.attempt}` : "reason" in fact ? ` ${fact.reason}` : "cause" in fact ? ` ${fact.cause}` : ""}`);
    },
    revoked: (id, epoch) => void revoked.push(`${id} ${epoch}`),
  }, {
    who: { realm: 101, type: TYPE, vouch: { mode: "linked" }, rules: [] },
    ...o.discovery === undefined ? {} : { discovery: o.discovery },
  }, NODE_LIMITS);
  /** Moves the clock until something has happened; real work (signatures) goes on between. */
  const passUntil = (condition: () => boolean, stepMs = 100): Promise<unknown> => until(async () => {
    if (condition()) return true;
    await clock.pass(stepMs);
    return condition();
  }, { everyMs: 1, withinMs: 15_000, what: () => `${told.join(", ")}; ${condition.toString()}` });
  const up = async (): Promise<void> => {
    await client.register();
    await client.connect();
    client.arm();
  };
  return { clock, realm, signaling, client, told, faults, revoked, logged, passUntil, up };
}
