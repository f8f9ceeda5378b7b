/** Who is meant, in the forms a program may write it. */
import { formatType, type ActorType, type NodeId } from "@atoll-run/core";
import { idText } from "../identity/id-text.ts";

/** An id, a type, or text: of an id, of a type (`maker:name:version`), `self`, a name of this process. */
export type Target = string | NodeId | ActorType;

export function toTargetText(target: Target): string {
  if (typeof target === "string") return target;
  return "serial" in target ? idText(target) : formatType(target);
}
