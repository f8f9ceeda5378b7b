/** The public key of a node that has one. */
import { existsSync } from "node:fs";
import { nodeError } from "@atoll-run/core";
import { loadNodeKey, nodeKeyPath } from "@atoll-run/node/internal";

/** Base64. Throws `node.not_found` when the node was never started there; makes nothing. */
export async function readNodeKey(dir: string, node: string): Promise<string> {
  const missing = (): never => {
    throw nodeError("node.not_found", `there is no key of a node named '${node}' in ${dir}`, {
      hint: "Its first start makes one; name the folder with --state, the node with --node.",
    });
  };
  if (!existsSync(nodeKeyPath(dir, node))) missing();
  const { publicKey } = await loadNodeKey({ dir, node, bytes: missing });
  return Buffer.from(publicKey).toString("base64");
}
