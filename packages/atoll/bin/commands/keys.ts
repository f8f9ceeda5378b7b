/** `atoll keys`: keys of nodes and of a realm. */
import { resolve } from "node:path";
import { readNodeKey } from "../../src/compose/node-key.ts";
import { readDeployment } from "../tier/deployment.ts";
import { askRealm } from "../tier/realm-admin.ts";
import { answer, columns, noWords, runVerb, type VerbCall } from "../tier/verb.ts";
import { revoke } from "./realm.ts";

export function keys(args: readonly string[]): Promise<number> {
  return runVerb("keys", args, { show, list, rotate, revoke });
}

async function show(call: VerbCall): Promise<number> {
  noWords(call);
  const { deployment, folder } = readDeployment(call, undefined);
  const node = call.flag("node")?.text ?? deployment.node.name ?? "node";
  const public_key = await readNodeKey(resolve(folder, deployment.state.dir), node);
  return await answer(call, { node, public_key }, `${node}  ${public_key}`);
}

interface KeyRow {
  readonly key_id: number;
  readonly state: string;
  readonly pubkey: string;
}

async function list(call: VerbCall): Promise<number> {
  noWords(call);
  const found = await askRealm<{ keys: readonly KeyRow[] }>(call, { name: "keys" });
  const rows = found.keys.map(({ key_id, state, pubkey }) => [String(key_id), state, pubkey]);
  return await answer(call, found, columns(["key", "state", "public key"], rows));
}

async function rotate(call: VerbCall): Promise<number> {
  noWords(call);
  const made = await askRealm<KeyRow>(call, { method: "POST", name: "keys" });
  return await answer(call, made, `key ${made.key_id} is ${made.state}: ${made.pubkey}`);
}
