/**
 * Services with a realm of their own, in this process (spec: node 2.2).
 * takes services by name; gives a running node for each; promises that they reach each other and nobody else reaches
 * them; refuses a folder in use; never keeps state in memory unless it is told to.
 */
import { Closing, nodeError, type Workload } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import { createNode as assembleNode, type NodeHandle } from "@atoll-run/node";
import { createMemoryNet } from "@atoll-run/node/internal";
import { createRealm as assembleRealm } from "@atoll-run/realm";
import { parseType } from "@atoll-run/core";
import { toParts, type Shared } from "./create-node.ts";
import { openPlace, type PlaceOptions } from "./place.ts";

/** What `implement` gives, or a block by `blockService`. */
export interface Hosted extends Workload {
  /** `manufacturer:name:version`. */
  readonly type: string;
}

export interface LocalOptions extends PlaceOptions {
  /** By local name. */
  readonly services: Readonly<Record<string, Hosted>>;
}

export interface Local extends AsyncDisposable {
  /** Throws `node.not_found` for a name that none has. */
  node(name: string): NodeHandle;
  readonly names: readonly string[];
  /** Ends the nodes, the last first, then the realm. Later calls share the promise. */
  close(): Promise<void>;
}

const REALM = 1;
/** The realm has no door to the network, so whoever is in it is of this process. */
const AMONG_THEMSELVES: readonly Rule[] = [
  { effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] },
];

/** Throws what a start of a node throws; nothing is left open then. */
export async function local(o: LocalOptions): Promise<Local> {
  const closing = new Closing();
  const nodes = new Map<string, NodeHandle>();
  const close = async (): Promise<void> => {
    await closing[Symbol.asyncDispose]();
  };
  try {
    const place = await openPlace(o);
    closing.defer(() => place.close(), { name: "store" });
    const { clock } = place;
    const realm = assembleRealm(place, { realms: [REALM] });
    closing.defer(() => realm.close(), { name: "realm" });
    await realm.open();
    const shared: Shared = { net: createMemoryNet({ clock }), named: (name) => nodes.get(name)?.id };
    for (const [name, hosted] of Object.entries(o.services)) {
      const parts = toParts(place, { name, realm: { id: REALM, door: realm.door }, listen: false }, shared);
      const { durability, dir } = place;
      const type = parseType(hosted.type);
      if (type === undefined) throw nodeError("node.invalid_argument", `${name}: type ${JSON.stringify(hosted.type)} is not manufacturer:name:version`);
      const node = assembleNode(parts, { name, type, durability, rules: AMONG_THEMSELVES, ...dir === null ? {} : { dir } });
      const handle = await (await node.attach(hosted)).start();
      closing.defer(async () => void await handle.close(), { name });
      nodes.set(name, handle);
    }
  } catch (error) {
    await closing.close();
    throw error;
  }
  return {
    names: [...nodes.keys()], close, [Symbol.asyncDispose]: close,
    node: (name) => {
      const found = nodes.get(name);
      if (found === undefined) throw nodeError("node.not_found", `no node is named ${JSON.stringify(name)} here`);
      return found;
    },
  };
}
