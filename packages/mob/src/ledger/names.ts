/** Where the ledger lies in its store. */
export const LEDGER_JOURNAL = "ledger";
/** Scope of what is the mob's own. */
export const MOB_SCOPE = "mob";
/** Of documents: its epoch, and up to where it was pruned. */
export const LEDGER_SPACE = "ledger";
