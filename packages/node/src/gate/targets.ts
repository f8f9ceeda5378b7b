/** Whom a caller means (spec: node 2, Target): this node, a node, a type, or a name of this process. */
import { nodeError, parseType, type NodeId } from "@atoll-run/core";
import { idText, type IdReader } from "../identity/id-text.ts";
import type { Self } from "./outbound-parts.ts";

export type Target =
  | { readonly is: "self" }
  | { readonly is: "node"; readonly id: NodeId; readonly text: string }
  | { readonly is: "type"; readonly type: string };

export interface TargetParts {
  readonly self: () => Self;
  readonly named: (name: string) => NodeId | undefined;
  readonly idReader: IdReader;
}

/** Throws `node.invalid_argument` for what cannot be a target, `node.not_found` for an unknown name. */
export function toTarget(to: string, { self, named, idReader }: TargetParts): Target {
  if (to === "self") return { is: "self" };
  const own = self();
  if (to === own.name) return { is: "self" };
  const id = idReader.read(to) ?? named(to);
  if (id !== undefined) {
    const text = idText(id);
    return own.id !== undefined && idText(own.id) === text ? { is: "self" } : { is: "node", id, text };
  }
  if (parseType(to) !== undefined) return { is: "type", type: to };
  if (typeof to !== "string" || to === "") throw nodeError("node.invalid_argument", "there is no target");
  throw nodeError("node.not_found", `${JSON.stringify(to)} is no node of this process`, {
    facts: { to }, hint: "give the text of a node id, a type as maker:name:version, self, or a name of this process",
  });
}
