/**
 * A realm with its store, its token and its doors.
 * takes where to keep things and where to listen; gives the running realm; promises that the folder is this process's
 * until it is closed, and that the token can be read by this user alone; refuses a folder in use; never has a default
 * secret: until one is made, nodes of this machine register without.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Clock, Closing, type Log, Secret, stateBroken } from "@atoll-run/core";
import { createRealm as assembleRealm, type Listen, type Realm, type RealmAddresses, type RealmConfig } from "@atoll-run/realm";
import { openState } from "@atoll-run/sqlite";
import { systemClock } from "./clock.ts";

export interface RealmOptions extends Pick<RealmConfig, "realms" | "bearer" | "origins" | "worker"> {
  /** Default `./.atoll`. */
  readonly dir?: string;
  /** Keeps nothing on the disk. */
  readonly memory?: boolean;
  /** Without it the realm is reachable in this process only. */
  readonly listen?: Listen;
  readonly durability?: "full" | "normal";
  readonly log?: Log;
  readonly clock?: Clock;
}

export interface RunningRealm extends AsyncDisposable, Pick<Realm, "door" | "stats"> {
  readonly addresses: RealmAddresses | undefined;
  /** Its first realm. */
  readonly id: number;
  /** Null = in memory. */
  readonly dir: string | null;
  /** What the admin API asks for; also in `http.token` of the folder. */
  readonly adminToken: Secret;
  /** Ends connections, then gives the folder back. Later calls share the promise. */
  close(): Promise<void>;
}

const TOKEN_FILE = "http.token";
const TOKEN_BYTES = 32;
const SILENT: Log = { write: () => undefined };

/**
 * Opens the store, then the realm. Throws faults of the store (`state.locked` …), `realm.bind_failed`,
 * `realm.invalid_argument`; nothing is left open or bound then.
 */
export async function createRealm(o: RealmOptions = {}): Promise<RunningRealm> {
  const { clock = systemClock, log = SILENT, memory = false, listen, durability, ...config } = o;
  const dir = memory ? null : resolve(o.dir ?? ".atoll");
  const closing = new Closing();
  try {
    const store = closing.use(await openState({ dir, log, ...durability === undefined ? {} : { durability } }), { name: "store" });
    const adminToken = new Secret(dir === null ? newToken() : loadToken(dir));
    const bytes = (count: number): Uint8Array => new Uint8Array(randomBytes(count));
    const realm = assembleRealm({ store, clock, random: Math.random, bytes, log, adminToken }, config);
    closing.defer(() => realm.close(), { name: "realm" });
    const addresses = await realm.open(listen === undefined ? {} : { listen });
    const close = async (): Promise<void> => {
      await closing[Symbol.asyncDispose]();
    };
    return {
      addresses, id: config.realms?.[0] ?? 1, dir, adminToken, door: realm.door, stats: () => realm.stats(), close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await closing.close();
    throw error;
  }
}

/** The token of a folder, made at the first start. Throws `state.broken` when others can read it. */
export function loadToken(dir: string): string {
  const path = join(dir, TOKEN_FILE);
  try {
    const text = readFileSync(path, "utf8").trim();
    if (text !== "") return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw stateBroken(path, (error as Error).message, { cause: error });
  }
  const token = newToken();
  mkdirSync(dir, { recursive: true });
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
  return token;
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url");
}
