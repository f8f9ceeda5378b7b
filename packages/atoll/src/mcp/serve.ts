/**
 * `atoll mcp` as a library: the blocks of a project as MCP tools, its documents as resources.
 * takes a project and what its blocks may do; gives a server over stdio or HTTP; promises one block for each
 * client.
 */
import type { Json, Log } from "@atoll-run/core";
import type { RunConfig } from "../compose/run-block.ts";
import { toAnswer, toListed } from "./answers.ts";
import type { BlockSource } from "./blocks.ts";
import { Documents } from "./docs.ts";
import { HTTP_BODY_BYTES_MAX, type HttpDoor, openHttp } from "./http.ts";
import { type OpenServer, type Served, serveHttp, serveStdio } from "./sdk-server.ts";
import { ToolHost } from "./tool-host.ts";

export interface McpServing {
  readonly project: string;
  readonly blocks: readonly BlockSource[];
  /** Tools keep the names they were registered with: `now` instead of `weather__now`. */
  readonly plainNames: boolean;
  readonly version: string;
  readonly log: Log;
  /** What every block gets; restricted unless it says otherwise. */
  readonly config: Omit<RunConfig, "script" | "hostTools" | "globals">;
}

const LOAD_MS_MAX = 60_000;

interface Opened {
  readonly served: Served;
  /** Loads the blocks ahead, so that the client does not wait; whoever asks later hears of a failure. */
  warm(): void;
  close(): Promise<void>;
}

/** A client's own block. */
function openServed(o: McpServing, documents: Documents): Opened {
  const host = new ToolHost({ blocks: o.blocks, plainNames: o.plainNames, config: o.config, log: o.log, loadMsMax: LOAD_MS_MAX });
  return {
    close: () => host[Symbol.asyncDispose](),
    warm: () => void host.tools().catch(() => undefined),
    served: {
      tools: async () => (await host.tools()).map(toListed),
      call: async (name, input: Json, hooks) => toAnswer(await host.call(name, input, hooks)),
      documents: () => documents.list(), read: (uri) => documents.read(uri),
    },
  };
}

/** Serves the client at the other end of these streams. */
export async function serveMcpStdio(
  o: McpServing, streams: { input: NodeJS.ReadStream; output: NodeJS.WriteStream },
): Promise<OpenServer> {
  const { served, warm, close } = openServed(o, new Documents(o.project));
  warm();
  const server = await serveStdio(served, { version: o.version, ...streams });
  const closed = server.closed.then(close);
  return { closed, close: async () => {
    await server.close();
    await closed;
  } };
}

/** Serves clients over HTTP. `token` undefined: only for a loopback host. */
export async function serveMcpHttp(
  o: McpServing, at: { host: string; port: number; token: string | undefined },
): Promise<HttpDoor> {
  const documents = new Documents(o.project);
  const closing = new Set<Promise<void>>();
  const door = await openHttp({ ...at, open: async ({ id, opened: hello }) => {
    const { served, warm, close } = openServed(o, documents);
    const opened = await serveHttp(served, { version: o.version, bodyBytesMax: HTTP_BODY_BYTES_MAX, id,
      opened: (made) => {
        warm();
        hello(made);
      } });
    const over = opened.closed.then(close);
    closing.add(over);
    over.finally(() => closing.delete(over)).catch(() => undefined);
    return opened;
  } });
  return { url: door.url, close: async () => {
    await door.close();
    await Promise.allSettled(closing);
  } };
}
