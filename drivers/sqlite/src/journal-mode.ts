/** Journal modes of SQLite, checked before they become part of a statement. */
import { Fault } from "@atoll-run/core";

const MODES = ["WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"] as const;

/** `MEMORY` and `OFF` lose the promise that a killed process leaves a whole file. */
export type JournalMode = typeof MODES[number];

/** Any case is taken; throws `config.invalid` for a word that SQLite does not know. */
export function toJournalMode(text: string): JournalMode {
  const mode = MODES.find((one) => one === text.trim().toUpperCase());
  if (mode !== undefined) return mode;
  throw new Fault({
    code: "config.invalid", text: `config error: unknown journal mode '${text}'`,
    facts: { journal_mode: text },
    hint: `Use one of ${MODES.join(", ")}.`,
  });
}
