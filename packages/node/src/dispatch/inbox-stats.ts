/** Counters of mailbox and dispatch under the names of their metrics, labels included (spec: node 11.3). */
import { labelled } from "../observe/prometheus.ts";
import type { NodeInbox } from "./node-inbox.ts";

export function inboxStats(inbox: NodeInbox): Readonly<Record<string, number>> {
  const { dispatch, commits, room, frames, letters } = inbox;
  const { joined_total: joined, answered_total: answered, reused_total: reused, ...counts } = inbox.stats;
  return {
    ...counts, ...dispatch.stats, running: dispatch.running,
    mailbox_oldest_ms: inbox.oldestMs, mailbox_depth: room.depth, mailbox_bytes: room.bytes,
    ...labelled("dedup_total", "kind", { joined, answered, reused }), dedup_entries: room.answers, dedup_oldest_ms: inbox.oldestAnswerMs,
    ...labelled("dead_letters", "reason", letters.counts()), accepted_letters: room.letters, frame_letters: frames.count,
    dead_letters_dropped_total: frames.dropped, commits_total: commits.stats.commits, commit_failures_total: commits.stats.failures,
  };
}
