/** The commands' end of the control socket. */
import { request as open } from "node:http";
import { type Json, nodeError, toFault } from "@atoll-run/core";
import { CONTROL_LIMITS, type ControlReply } from "./protocol.ts";

/** Nobody listens there: the node is not running. */
export function isNotRunning(error: unknown): boolean {
  return ["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "");
}

export interface ControlAsk {
  readonly path: string;
  readonly method: string;
  readonly args: Readonly<Record<string, Json>>;
  readonly signal: AbortSignal;
}

/** Throws the fault of the node, or the network's error when there is none. */
export async function askControl({ path, method, args, signal }: ControlAsk): Promise<Json> {
  const reply = JSON.parse(await post(path, { method, body: JSON.stringify(args), signal })) as ControlReply;
  if (reply.ok) return reply.value;
  throw toFault(reply.fault);
}

function post(path: string, o: { readonly method: string; readonly body: string; readonly signal: AbortSignal }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = open({ socketPath: path, path: `/v1/${o.method}`, method: "POST", signal: o.signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= CONTROL_LIMITS.replyBytesMax) chunks.push(chunk);
        else request.destroy(nodeError("node.too_large", "the answer is too large: ask for less"));
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    request.on("error", (error) => reject(o.signal.aborted ? o.signal.reason as Error : error));
    request.end(o.body);
  });
}
