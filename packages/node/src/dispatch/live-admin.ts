/** How a running node does what people ask of its mailbox and its dead letters. */
import { nodeError, type Fault } from "@atoll-run/core";
import type { Redrive } from "../mailbox/dead-letter-admin.ts";
import { DROPPED, noRow, rowRuns, type LiveMailbox } from "../mailbox/mailbox-admin.ts";
import { unknownRoute } from "../mailbox/intake.ts";
import { Message } from "../mailbox/message.ts";
import type { NodeInbox } from "./node-inbox.ts";
import { failure } from "./verdict.ts";

export function liveMailbox(inbox: NodeInbox): LiveMailbox {
  const waiting = (seq: number): Message => {
    const message = inbox.message(seq);
    if (message === undefined) throw noRow(seq);
    if (message.phase !== "waiting") throw rowRuns(seq);
    return message;
  };
  return {
    release: (seq) => void inbox.dispatch.release(waiting(seq)),
    drop: async (seq, { also = [] }) => {
      const message = waiting(seq);
      const verdict = failure(message.kind, DROPPED, "dropped");
      inbox.dispatch.end(message, { ...verdict, burial: { reason: "dropped", fault: DROPPED, also } });
      await message.settled;
    },
  };
}

/** Takes a dead letter in once more; gives why not. */
export async function takeRedrive(inbox: NodeInbox, { letter, mail, kind, principal }: Redrive): Promise<Fault | undefined> {
  const { parts } = inbox;
  if (inbox.intake !== "open") return nodeError("node.draining", "the node is closing");
  const info = parts.workload().route(mail.route, kind);
  if (info === undefined) return unknownRoute(mail.route);
  const message = new Message({
    order: inbox.nextOrder(), kind, principal, sender: mail.sender, route: mail.route, requestId: mail.request_id,
    hash: mail.hash, high: mail.priority === "high", key: mail.key, policy: inbox.policies.of(kind, mail.route, info.policy),
    bytes: mail.body.length, acceptedAtMs: mail.accepted_at_ms, expiresAtMs: Infinity, lane: "redrive", letter: letter.seq,
  });
  const full = inbox.room.refusal(message);
  if (full !== undefined && full.code === "node.storage_full") return full;
  message.body = mail.body;
  inbox.letters.redriven(letter.seq, letter.reason);
  const verdict = await inbox.insert(message, [{ op: "mark", seq: letter.seq, redriving: true, about: null }]);
  if (verdict.is === "refused") return verdict.fault;
  return verdict.is === "duplicate" ? nodeError("node.request_id_reused", "it is being handled already") : undefined;
}
