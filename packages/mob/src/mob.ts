/**
 * A mob that runs (spec: mob 2.1, 2.2, 2.5, 12.2).
 *
 * takes a definition and parts; gives members that take turns; promises that what it accepted before it died goes on; refuses a
 * start whose parts fail, and leaves nothing behind then; never keeps truth anywhere but in the ledger.
 */
import type { Json } from "@atoll-run/core";
import type { NodeParts } from "@atoll-run/node";
import type { MemberSpec, MobDefinition } from "./definition/definition.ts";
import { planEdges, unfoldEdges } from "./edges/plan.ts";
import { mobError } from "./errors.ts";
import { createIds } from "./ids.ts";
import { MOB_SCOPE, openLedger } from "./ledger/create-ledger.ts";
import type { NewEntry } from "./ledger/entry.ts";
import type { Ledger, Writer } from "./ledger/ledger.ts";
import { MOB_LIMITS, type MobLimits } from "./limits.ts";
import { FINAL_STATES } from "./member/life.ts";
import type { By, MemberHost, TurnAsk } from "./member/host.ts";
import type { InnerParts } from "./member/inner.ts";
import { Members } from "./member/members.ts";
import type { MemberRow } from "./member/row.ts";
import type { Ticket } from "./member/turn.ts";
import { planMembers, type MemberPlanRow } from "./reconcile/plan.ts";
import { View } from "./roster/view.ts";

/** What it is made of; the store stays its opener's. */
export interface MobParts extends Omit<NodeParts, "network" | "named">, InnerParts {
  /** Masks registered secrets. */
  readonly redact?: (value: Json) => Json;
}

export interface MobStatus {
  readonly mob: string;
  readonly state: "running" | "stopped";
  readonly members: readonly MemberRow[];
  readonly edges: readonly { readonly a: string; readonly b: string }[];
  readonly revision: number;
  /** `seq` of the last entry. */
  readonly head: number;
}

export interface Mob extends AsyncDisposable {
  readonly definition: MobDefinition;
  readonly ledger: Ledger;
  /** As the ledger tells it; to be read only. */
  readonly view: View;
  /** Who writes what is the mob's own. */
  readonly writer: Writer;
  readonly members: MemberHost;
  send(ask: TurnAsk): Promise<Ticket>;
  status(): MobStatus;
  /** Turns that run may end within that time; queued ones stay. Later calls share the promise. */
  close(o?: { readonly drainMs?: number }): Promise<void>;
}

const BY: By = { principal: "mob" };

/** Throws `mob.start_failed` with its cause; nothing is left open then. */
export async function openMob(parts: MobParts, definition: MobDefinition): Promise<Mob> {
  const limits: MobLimits = { ...MOB_LIMITS, ...definition.limits };
  const newId = createIds(parts);
  const mob = definition.mob.id;
  const { store, clock, log, redact } = parts;
  const ledger = await openLedger({ store, clock, newId, log, ...redact === undefined ? {} : { redact } }, { mob, limits });
  try {
    const isNew = ledger.head === 0;
    const writer = await attach(ledger, parts);
    const view = new View();
    await ledger.replay(0, view.fold);
    ledger.hear(view.fold);
    const members = new Members({
      ledger, writer, view, node: parts, inner: parts, limits, newId, profileOf: (name) => definition.profiles[name],
      leaveEdges: (id) => leaveEdges(id, { ledger, writer, view }),
    });
    ledger.hear(members.hear);
    const say = (kind: NewEntry["kind"], data: NewEntry["data"] = {}) => ledger.append(writer, [{ kind, source: "mob", data }]);
    if (isNew) await say("mob_created");
    await say("mob_started");
    await members.recover();
    await apply(definition, { ledger, writer, view, members });
    return running({ definition, ledger, view, writer, members }, { limits, say });
  } catch (error) {
    await ledger[Symbol.asyncDispose]();
    throw mobError("mob.start_failed", `the mob ${mob} did not start: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function running(
  own: Pick<Mob, "definition" | "ledger" | "view" | "writer"> & { readonly members: Members },
  { limits, say }: { readonly limits: MobLimits; readonly say: (kind: NewEntry["kind"]) => Promise<unknown> },
): Mob {
  const { definition, ledger, view, members } = own;
  let closing: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    await say("mob_stopping");
    await members.close(drainMs);
    await say("mob_stopped");
    await ledger[Symbol.asyncDispose]();
  };
  return {
    ...own, send: (ask) => members.send(ask),
    status: () => ({
      mob: definition.mob.id, state: closing === undefined ? "running" : "stopped", revision: view.revision, head: ledger.head,
      members: [...view.members.keys()].map((id) => view.row(id) as MemberRow),
      edges: [...view.edges.values()].filter(({ wired }) => wired).map(({ a, b }) => ({ a, b })),
    }),
    close: ({ drainMs = limits.drainMs } = {}) => closing ??= close(drainMs),
    [Symbol.asyncDispose]: () => closing ??= close(limits.drainMs),
  };
}

async function attach(ledger: Ledger, { clock }: MobParts): Promise<Writer> {
  const commit = await ledger.store.commit({ scope: MOB_SCOPE, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
  if (!commit.ok) throw mobError("mob.internal", `the store refuses to attach the mob: ${commit.refusal.why}`);
  return { scope: MOB_SCOPE, epoch: commit.values[0] as number };
}

interface Applying {
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly members: MemberHost;
}

/** Members and edges as the definition has them. */
async function apply(definition: MobDefinition, { ledger, writer, view, members }: Applying): Promise<void> {
  const now = [...view.members.values()].map(({ spec, life, held, origin }) => ({ spec, state: life.state, held, origin }));
  for (const row of planMembers({ desired: definition.members, now, retireStale: true })) await move(row, members);
  const present = new Set([...view.members].filter(([, { life }]) => !FINAL_STATES.includes(life.state)).map(([id]) => id));
  const edges = planEdges({ desired: unfoldEdges(definition.edges, definition.members), now: [...view.edges.values()], present });
  const entries = edges.flatMap(({ a, b, deed }): readonly NewEntry[] => {
    if (deed === null) return [];
    if (deed === "unwire" || deed === "disown") return [{ kind: deed === "unwire" ? "members_unwired" : "edge_disowned", source: "mob", data: { a, b } }];
    return [{ kind: "members_wired", source: "mob", data: { a, b, owner: "managed" } }];
  });
  if (entries.length > 0) await ledger.append(writer, entries);
}

async function move({ id, bucket, spec }: MemberPlanRow, members: MemberHost): Promise<void> {
  switch (bucket) {
    case "spawned": return void await members.spawn(spec as MemberSpec, { ...BY, origin: "definition", lazy: true });
    case "updated": return void await members.update(spec as MemberSpec, BY);
    case "reloaded": return void await members.reload(id, { ...BY, spec: spec as MemberSpec });
    case "respawned": return void await members.respawn(id, { ...BY, spec: spec as MemberSpec });
    case "repaired": return void await members.repair(id, BY);
    case "retired": return await members.retire(id, BY);
    default:
  }
}

async function leaveEdges(id: string, { ledger, writer, view }: Omit<Applying, "members">): Promise<void> {
  const own = [...view.edges.values()].filter(({ a, b }) => a === id || b === id);
  if (own.length === 0) return;
  await ledger.append(writer, own.map(({ a, b }) => ({ kind: "members_unwired" as const, source: "mob", data: { a, b } })));
}
