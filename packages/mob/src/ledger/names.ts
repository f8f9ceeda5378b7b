/** Where the ledger lies in its store. */
export const LEDGER_JOURNAL = "ledger";
/** Scope of what is the mob's own. */
export const MOB_SCOPE = "mob";
/** Who has asked, of the keys of entries that are there once. */
export const KEY_OF_ENTRY = "ledger";
/** Of documents: its epoch, and up to where it was pruned. */
export const LEDGER_SPACE = "ledger";
/** What stands in each 1,024 entries. */
export const SLICES_JOURNAL = "ledger_slices";
