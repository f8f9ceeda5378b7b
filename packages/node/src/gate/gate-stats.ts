/** Counters of the gates under the names of their metrics, labels included (spec: node 11.3). */
import { labelled } from "../observe/prometheus.ts";
import type { StreamTable } from "../streams/stream-table.ts";
import type { Answers } from "./answers.ts";
import type { InboundGate } from "./inbound.ts";
import type { PendingTable } from "./pending.ts";
import type { Postman } from "./postman.ts";

export interface CountedRooms {
  readonly pending: PendingTable;
  readonly inbound: InboundGate;
  readonly answers: Answers;
  readonly postman: Postman | undefined;
  readonly table: StreamTable;
  /** Ends of asks by code, `ok` included. */
  readonly codes: ReadonlyMap<string, number>;
}

export function gateStats(rooms: CountedRooms): Readonly<Record<string, number>> {
  const { pending: { stats: pending }, inbound: { stats: inbound }, answers: { stats: answers }, table, codes } = rooms;
  const postman = rooms.postman?.stats;
  return {
    pending_calls: pending.pending_calls,
    ...labelled("orphan_replies_total", "why", {
      late: pending.orphan_late, unknown: pending.orphan_unknown, wrong_peer: pending.orphan_wrong_peer,
    }),
    ...labelled("frames_rejected_total", "why", {
      undecodable: inbound.frames_undecodable, envelope_invalid: inbound.frames_envelope_invalid,
      media: inbound.frames_media,
    }),
    links_closed_total: inbound.links_closed, acl_denied_total: inbound.acl_denied,
    early_refused_total: inbound.early_refused, cancelled_total: inbound.cancelled,
    replies_sent_total: answers.replies_sent, replies_unsent_total: answers.replies_unsent,
    accepts_unsent_total: answers.accepts_unsent,
    ...postman === undefined ? {} : {
      parcels_sent_total: postman.parcels_sent, parcels_retried_total: postman.parcels_retried,
      parcels_undeliverable_total: postman.parcels_undeliverable,
    },
    streams_open: table.stats.streams_open, streams_refused_total: table.stats.streams_refused,
    streams_foreign_total: table.stats.streams_foreign, stream_dropped_total: table.stats.stream_dropped,
    stream_early_dropped_total: table.plain.stats.early_dropped, stream_plain_dropped_total: table.plain.stats.plain_dropped,
    ...labelled("calls_total", "code", Object.fromEntries(codes)),
  };
}
