export { MOB_CODES } from "./errors.ts";
export { createIds, isMemberId, memberScope, shortHash, type IdKind, type IdParts, type NewId } from "./ids.ts";
export { KINDS } from "./ledger/entry.ts";
export { FINAL_TURNS } from "./member/turn.ts";
export { LEDGER_JOURNAL, MOB_SCOPE, openLedger, type LedgerOptions } from "./ledger/create-ledger.ts";
