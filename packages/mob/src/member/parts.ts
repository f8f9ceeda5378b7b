/** What a member is made of. Types only. */
import type { Json } from "@atoll-run/core";
import type { NodeParts } from "@atoll-run/node";
import type { Blobs } from "../blobs/blobs.ts";
import type { MemberSpec, Profile } from "../definition/definition.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MobTracer } from "../observe/tracer.ts";
import type { View } from "../roster/view.ts";
import type { InnerParts } from "./inner.ts";
import type { WallLeft } from "./turn-time.ts";

export interface MemberParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  /** The mob's own. */
  readonly writer: Writer;
  readonly view: View;
  readonly node: NodeParts;
  readonly inner: InnerParts;
  readonly limits: MobLimits;
  /** Undefined: nobody takes spans. */
  readonly tracer?: MobTracer | undefined;
  readonly profileOf: (name: string) => Profile | undefined;
  /** What it would be made of now. */
  readonly hashOf: (spec: MemberSpec) => string;
  /** Of the budget of a member. Absent: it has none. */
  readonly wallOf?: (member: string, turnId: string) => WallLeft | undefined;
  /** Takes its edges away. */
  readonly leaveEdges: (id: string) => Promise<void>;
  /** It has neither node nor timer: its row says all there is of it. */
  readonly quiet: (id: string) => void;
}

/** What stands beside a move in its first entry. */
export interface MoveMore {
  readonly principal?: string;
  readonly data?: Readonly<Record<string, Json>>;
  /** What it is to be from now on. */
  readonly spec?: MemberSpec;
}
