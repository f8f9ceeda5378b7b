/**
 * A member of a mob elsewhere, as a program with a node calls it (spec: mob 3.7, 10.1).
 *
 * takes a node and `<member>::<mob>`; gives what its turns give; promises that one request id is one turn; refuses with the fault
 * that the mob has given, or that of the node; never asks a second mob of that name when the first may have taken it.
 */
import { isFault, toFault, type FaultData, type Json } from "@atoll-run/core";
import type { CallOptions, Talk, Target, TellOptions } from "@atoll-run/node";
import { MOB_CODES, MobError, type MobCode } from "../errors.ts";
import { readAddress, routeTo, typeTextOfMob } from "./address.ts";

export interface MemberCall extends Pick<CallOptions, "deadlineMs" | "requestId" | "signal" | "retry"> {
  /** Turns of one conversation run one at a time, in order. Default: one for each node that calls. */
  readonly conversation?: string;
}

/** See {@link memberAt}. */
export interface RemoteMember {
  /**
   * Resolves with the output of the turn. Throws the fault of a turn that failed, `mob.not_addressable`, `mob.overloaded`,
   * `mob.conflict` …; `node.timed_out` when the deadline (30 s) passes first: the turn goes on, and whoever asks again with the
   * same request id gets its output.
   */
  call(content: Json, o?: MemberCall): Promise<Json>;
  /** Resolves when it is stored. Throws `node.unknown_route` for a member that is not open to the outside. */
  tell(content: Json, o?: MemberCall & Pick<TellOptions, "ttlMs">): Promise<{ readonly duplicate: boolean }>;
}

/**
 * `memberAt(node, "editor::audit")`: looks for the mob by its type in the realm of the node; `at` names its node instead.
 *
 * ```ts
 * const editor = memberAt(node, "editor::audit");
 * const report = await editor.call({ topic: "licences" }, { requestId: "report-7", deadlineMs: 60_000 });
 * ```
 */
export function memberAt(node: Pick<Talk, "callRaw" | "tellRaw">, address: string, o: { readonly at?: Target } = {}): RemoteMember {
  const { member, mob } = readAddress(address);
  const to = o.at ?? typeTextOfMob(mob);
  const route = routeTo(member);
  const options = ({ conversation, ...rest }: MemberCall): CallOptions => ({
    ...rest, to, ...conversation === undefined ? {} : { metadata: { conversation } },
  });
  return {
    call: async (content, how = {}) => {
      const answer = await node.callRaw(route, toBytes(content), options(how)).catch((error: unknown) => {
        throw toMembersFault(error);
      });
      return JSON.parse(new TextDecoder().decode(answer)) as Json;
    },
    tell: async (content, how = {}) => {
      const { duplicate } = await node.tellRaw(route, toBytes(content), options(how));
      return { duplicate };
    },
  };
}

/** What the mob has said, in its own words. */
function toMembersFault(error: unknown): unknown {
  if (!isFault(error) || error.code !== "node.business") return error;
  const { error: said } = error.facts as { readonly error?: { readonly code: string; readonly body?: Uint8Array } };
  if (said === undefined) return error;
  const data = { text: error.message, facts: {}, retry: error.retry, ...readData(said.body), code: said.code } as FaultData;
  if (!Object.hasOwn(MOB_CODES, said.code)) return toFault(data);
  return new MobError({ ...data, code: said.code as MobCode, cause: error });
}

function readData(body: Uint8Array | undefined): Partial<FaultData> {
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Partial<FaultData>;
  } catch {
    // A mob of another make: code and text say enough.
    return {};
  }
}

function toBytes(content: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(content));
}
