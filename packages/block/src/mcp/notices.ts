/**
 * Notifications of one server on their way to the script. takes them as they come; gives each to its
 * listener, one at a time and in order; promises a bound and that a listener's error is a warning; refuses
 * what comes while the queue is full, and says so once until there is room again.
 */
import { BoundedQueue, type LogLevel } from "@atoll-run/core";
import type { Message } from "./pipe.ts";
import type { McpListener, McpLogLevel, McpNotice, McpNoticeType } from "./types.ts";

export interface NoticeParts {
  readonly server: string;
  readonly limit: number;
  listener(type: McpNoticeType): McpListener | undefined;
  log(level: LogLevel, target: string, msg: string, fields?: Record<string, unknown>): void;
}

/** Name of the function that registers the listener of a type. */
export function listenerName(type: McpNoticeType): string {
  return `mcp.on_${type}`;
}

export class Notices {
  readonly #parts: NoticeParts;
  readonly #queue: BoundedQueue<McpNotice>;
  #working = false;
  #dropped = 0;
  #closed = false;

  constructor(parts: NoticeParts) {
    this.#parts = parts;
    this.#queue = new BoundedQueue(parts.limit);
  }

  push(notice: McpNotice): void {
    if (this.#closed) return;
    if (this.#parts.listener(notice.type) === undefined) {
      if (notice.type === "log") this.#say(notice);
      return;
    }
    if (!this.#queue.push(notice)) {
      this.#drop(notice.type);
      return;
    }
    if (this.#working) return;
    this.#working = true;
    void this.#work();
  }

  close(): void {
    this.#closed = true;
    this.#queue.drain();
  }

  /** Never throws. */
  async #work(): Promise<void> {
    for (let notice = this.#queue.shift(); notice !== undefined; notice = this.#queue.shift()) {
      try {
        await this.#parts.listener(notice.type)?.(notice);
      } catch (error) {
        if (!this.#closed) this.#warn(`${listenerName(notice.type)}: callback failed: ${textOf(error)}`);
      }
    }
    this.#working = false;
    const { server } = this.#parts;
    if (this.#dropped > 1) this.#warn(`${this.#dropped} notifications of '${server}' were dropped`);
    this.#dropped = 0;
  }

  #drop(type: McpNoticeType): void {
    this.#dropped++;
    if (this.#dropped > 1) return;
    this.#warn(`${listenerName(type)}: notification channel full, dropping notification`);
  }

  #warn(msg: string): void {
    this.#parts.log("warn", "mcp", msg, { server: this.#parts.server });
  }

  /** A log message that nobody listens to goes to the log of the script. */
  #say({ server, level, logger, data }: McpNotice & { type: "log" }): void {
    const fields = { server, ...(logger === "" ? {} : { logger }) };
    this.#parts.log(level === "warning" ? "warn" : level, "lua", data, fields);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const LEVELS: Readonly<Record<string, McpLogLevel>> = {
  debug: "debug", info: "info", notice: "info", warning: "warning", error: "error", critical: "error",
  alert: "error", emergency: "error",
};

/** A notification in the words of scripts; undefined for one that is not known, or is none. */
export function toNotice(server: string, method: string, params: Message): McpNotice | undefined {
  switch (method) {
    case "notifications/progress": return progress(server, params);
    case "notifications/message": {
      const { level, logger, data } = params;
      return {
        type: "log", server, level: LEVELS[String(level)] ?? "info",
        logger: typeof logger === "string" ? logger : "", data: JSON.stringify(data) ?? "null",
      };
    }
    case "notifications/resources/updated": {
      const { uri } = params;
      return typeof uri === "string" ? { type: "resource_update", server, uri } : undefined;
    }
    case "notifications/resources/list_changed": return { type: "resources_list_changed", server };
    case "notifications/tools/list_changed": return { type: "tools_list_changed", server };
    case "notifications/prompts/list_changed": return { type: "prompts_list_changed", server };
    default: return undefined;
  }
}

function progress(
  server: string, { progressToken, progress: done, total, message }: Message,
): McpNotice | undefined {
  if (typeof done !== "number" || (typeof progressToken !== "string" && typeof progressToken !== "number")) {
    return undefined;
  }
  return {
    type: "progress", server, token: String(progressToken), progress: done,
    ...(typeof total === "number" ? { total } : {}), ...(typeof message === "string" ? { message } : {}),
  };
}
