/** How far a content can be trusted (spec: mob 3.7, 8.9). Pure. */
import type { Json } from "@atoll-run/core";

/** `clean`: of whoever the mob serves. `peer`: of another member. `external`: from outside of the mob. Each is worse than the one before. */
export const TAINTS = ["clean", "peer", "external"] as const;
export type Taint = typeof TAINTS[number];

export function worse(a: Taint | undefined, b: Taint | undefined): Taint {
  return TAINTS[Math.max(0, TAINTS.indexOf(a ?? "clean"), TAINTS.indexOf(b ?? "clean"))] as Taint;
}

export function isAsBad(taint: Taint | undefined, as: Taint): boolean {
  return TAINTS.indexOf(taint ?? "clean") >= TAINTS.indexOf(as);
}

/** What its blocks say of themselves: a sender can make it worse, never better. */
export function taintIn(content: Json): Taint {
  if (!Array.isArray(content)) return "clean";
  return content.reduce<Taint>((worst, block) => {
    const own = (block as { readonly taint?: Json } | null)?.taint;
    return worse(worst, TAINTS.find((taint) => taint === own));
  }, "clean");
}

/** Of records that are read again: the worst. */
export function taintOf(records: readonly { readonly blocks: readonly object[] }[]): Taint {
  return records.reduce<Taint>((worst, { blocks }) => worse(worst, taintIn(blocks as unknown as Json)), "clean");
}

/** Blocks that people and members send. */
const CONTENT: ReadonlySet<Json | undefined> = new Set(["text", "json", "image", "file", "ref"]);

/** A list of content blocks: each with who gave it, and how far it can be trusted. Other content, which says nothing of itself, is as it was. */
export function stamped(content: Json, { origin, taint }: { readonly origin: string; readonly taint: Taint }): Json {
  if (!isContent(content)) return content;
  return content.map((block) => ({ ...block, origin, taint: worse(taint, taintIn([block])) }));
}

type Block = { readonly [key: string]: Json };

function isContent(content: Json): content is readonly Block[] {
  return Array.isArray(content) && content.length > 0 && (content as readonly Json[]).every((block) =>
    typeof block === "object" && block !== null && !Array.isArray(block) && CONTENT.has((block as Block)["type"]));
}

/** What comes in by a call of that grant. */
export function taintOfCall({ grant, object }: { readonly grant: string; readonly object?: string }): Taint {
  if (BY_NET.has(grant)) return "external";
  return grant === "mob" && object === "request" ? "peer" : "clean";
}

const BY_NET: ReadonlySet<string> = new Set(["net", "mesh", "mcp", "module"]);
