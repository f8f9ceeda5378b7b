/** The mob that a verb speaks with: one that runs on this machine, found by the folder of its state, or one at an address. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ClientError, createClient, type MobClient } from "@atoll-run/client";
import { findAddress, TOKEN_FILE, type MobAddress } from "../../src/compose/mob-address.ts";
import { misuse, type VerbCall } from "../tier/verb.ts";

export interface Running {
  readonly mob: MobClient;
  readonly url: string;
  /** Of its process and its folder, when it is of this machine. */
  readonly pid?: number;
  readonly dir?: string;
}

const STATES = ".atoll";
const HINT = "Start it with atoll mob up, or name the folder of its state with --state, or its address with --url and --token-file.";

export async function findRunning(call: VerbCall): Promise<Running> {
  const url = call.flag("url")?.text;
  if (url !== undefined && !URL.canParse(url)) throw misuse("--url", `'${url}' is not a URL`);
  const named = call.either("state", "STATE_DIR")?.text;
  const tokenFile = call.flag("token-file")?.text;
  if (url !== undefined) {
    // The token of this machine is not sent to whatever is named.
    if (tokenFile === undefined && named === undefined) throw misuse("--token-file", "is missing", "--url needs the token of that mob");
    return running({ url }, tokenFile ?? join(named ?? "", TOKEN_FILE));
  }
  const { dir, address } = named === undefined ? await theOneHere() : { dir: named, address: await findAddress(named) };
  if (address === undefined) throw away(`no mob is served from ${dir}`);
  return { ...running(address, tokenFile ?? join(dir, TOKEN_FILE)), dir };
}

interface Found {
  readonly dir: string;
  readonly address: MobAddress;
}

/** Of what was killed the address is left behind: it counts only where nothing else runs. */
async function theOneHere(): Promise<Found> {
  const dirs = readFolder(STATES).map((name) => join(STATES, name));
  const found = (await Promise.all(dirs.map(async (dir) => ({ dir, address: await findAddress(dir) }))))
    .flatMap(({ dir, address }) => address === undefined ? [] : [{ dir, address }]);
  const alive = found.filter(({ address: { pid } }) => isAlive(pid));
  const [one, other] = alive.length > 0 ? alive : found;
  if (one === undefined) throw away(`no mob runs here: there is none in ${STATES}`);
  if (other !== undefined && alive.length > 1) throw misuse("--state", `is missing: ${alive.map(({ dir }) => relative(".", dir)).join(", ")} all run`, "name the one that is meant");
  return one;
}

function running({ url, pid }: { readonly url: string; readonly pid?: number }, tokenFile: string): Running {
  const mob = createClient({ url, token: readToken(tokenFile) });
  return { mob, url, ...pid === undefined ? {} : { pid } };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new ClientError({ code: "mob.unauthenticated", text: `the token of the mob cannot be read: ${path}`, hint: "Name its file with --token-file.", cause: error });
  }
}

function readFolder(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function away(text: string): ClientError {
  return new ClientError({ code: "client.unreachable", text, retry: "later", hint: HINT });
}
