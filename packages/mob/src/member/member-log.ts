/** The log of a member's node: nodes of members come and go with their work, so what is news of a node that stands alone is detail here. */
import type { Log } from "@atoll-run/core";

export function memberLog(log: Log, member: string): Log {
  return {
    write: (event) => log.write({ ...event, level: event.level === "info" ? "debug" : event.level, fields: { member, ...event.fields } }),
  };
}
