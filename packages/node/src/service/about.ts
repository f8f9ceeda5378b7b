/** What a context says of the message, stream or hook it belongs to. Made piece by piece, when somebody asks. */
import type { HookEvent, InStream, Log, LogLevel, MetadataEntry, WorkloadMessage } from "@atoll-run/core";
import type { About, Logger } from "./context.ts";

export function aboutMessage(message: WorkloadMessage, log: Log | undefined): About {
  const { caller, id, route, kind, attempt, redelivered } = message;
  return {
    caller, requestId: id, route, kind, attempt, redelivered, entries: message.metadata, traced: message,
    logger: () => logger(log, { route, request_id: id }),
  };
}

export function aboutStream({ peer, id, name, headers }: InStream, log: Log | undefined): About {
  return {
    caller: peer, requestId: id, route: name, kind: "stream", attempt: 1, redelivered: false, entries: headers, traced: {},
    logger: () => logger(log, { stream: name, stream_id: id }),
  };
}

const NO_ENTRIES: readonly MetadataEntry[] = [];

export function aboutHook({ name, seq }: HookEvent, log: Log | undefined): About {
  return {
    caller: { kind: "local" }, requestId: `hook-${seq}`, route: name, kind: "hook", attempt: 1, redelivered: false,
    entries: NO_ENTRIES, traced: {}, logger: () => logger(log, { hook: name }),
  };
}

function logger(log: Log | undefined, about: Readonly<Record<string, string>>): Logger {
  const at = (level: LogLevel) => (msg: string, fields?: Readonly<Record<string, unknown>>): void =>
    log?.write({ level, target: "service", msg, fields: { ...fields, ...about } });
  return { trace: at("trace"), debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
