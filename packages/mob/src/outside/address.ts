/** How a member is called from outside (spec: mob 0.3, 10.1): `<member>::<mob>`, and what becomes of it on the wire. Pure. */
import { formatType, parseType, type ActorType } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { isMemberId, shortHash } from "../ids.ts";

export interface MemberAddress {
  readonly member: string;
  readonly mob: string;
}

const MAKER = "atoll";
const VERSION = "1.0.0";
/** What may be asked of a member. */
const VERB = "turn";
const TYPE_NAME_MAX = 32;

/** Splits at the last `::`. Throws `mob.invalid_params`. */
export function readAddress(text: string): MemberAddress {
  const at = text.lastIndexOf("::");
  const [member, mob] = at === -1 ? ["", ""] : [text.slice(0, at), text.slice(at + 2)];
  if (isMemberId(member) && mob !== "") return { member, mob };
  throw mobError("mob.invalid_params", `${JSON.stringify(text)} is not <member>::<mob>`, { facts: { path: "to" } });
}

/** The type under which the node of a mob stands in its realm: it says the mob's id, or a hash of what is too long for a type. */
export function typeOfMob(mob: string): ActorType {
  const plain = `mob.${mob}`;
  const name = plain.length <= TYPE_NAME_MAX && parseType(`${MAKER}:${plain}:${VERSION}`) !== undefined ? plain : `mob-${shortHash(mob)}`;
  return { manufacturer: MAKER, name, version: VERSION };
}

export function typeTextOfMob(mob: string): string {
  return formatType(typeOfMob(mob));
}

/** The member stands in the route, so that a rule of the node can name it: `call:editor/turn`. */
export function routeTo(member: string): string {
  return `${member}/${VERB}`;
}

/** Undefined: no route of a member. */
export function memberOfRoute(route: string): string | undefined {
  const [member = "", verb, ...more] = route.split("/");
  return verb === VERB && more.length === 0 && isMemberId(member) ? member : undefined;
}
