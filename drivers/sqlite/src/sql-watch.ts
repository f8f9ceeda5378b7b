/**
 * Sees every act that a statement is compiled to (SQLite's authorizer): refuses what a restricted script
 * may not do, and notes what changes the connection itself. Nothing of the text is parsed here, so no
 * spelling gets around it.
 */
import { constants } from "node:sqlite";
import type { Pragma } from "./sql-protocol.ts";

export interface Denial {
  readonly verb: string;
  readonly object: string;
  readonly reason: string;
}

const OK = constants.SQLITE_OK;
const DENY = constants.SQLITE_DENY;

/** Native code and its old back door. */
const DENIED_FUNCTIONS = new Set(["load_extension", "fts3_tokenizer"]);
const DENIED_PRAGMAS: Readonly<Record<string, string>> = {
  writable_schema: "the schema may not be written by hand",
  journal_mode: "the journal guards what is stored",
  journal_size_limit: "the journal guards what is stored",
  temp_store_directory: "it names a folder outside",
  data_store_directory: "it names a folder outside",
};

/** Settings that live in the connection, not in the file: they are set again when the connection is. */
const CONNECTION_PRAGMAS = new Set([
  "analysis_limit", "automatic_index", "busy_timeout", "cache_size", "cache_spill", "case_sensitive_like",
  "cell_size_check", "checkpoint_fullfsync", "foreign_keys", "fullfsync", "ignore_check_constraints",
  "journal_size_limit", "legacy_alter_table", "max_page_count", "mmap_size", "query_only", "read_uncommitted",
  "recursive_triggers", "reverse_unordered_selects", "secure_delete", "synchronous", "temp_store", "threads",
  "trusted_schema", "wal_autocheckpoint", "writable_schema",
]);

const PINNING = new Set<number>([
  constants.SQLITE_CREATE_TEMP_TABLE, constants.SQLITE_CREATE_TEMP_VIEW, constants.SQLITE_CREATE_TEMP_TRIGGER,
  constants.SQLITE_CREATE_TEMP_INDEX, constants.SQLITE_ATTACH,
]);

export class SqlWatch {
  readonly #restricted: boolean;
  #vacuum = false;
  #pragmas: Pragma[] = [];
  /** The last refusal since `begin`. */
  denial: Denial | undefined;
  pinned = false;

  constructor(restricted: boolean) {
    this.#restricted = restricted;
  }

  /** Before each statement. */
  begin(sql: string): void {
    this.denial = undefined;
    this.#pragmas = [];
    // VACUUM attaches a file of its own for a moment: that pins nothing, and the denial should name what
    // was written.
    this.#vacuum = /^[\s;]*vacuum\b/i.test(sql);
  }

  /** Settings changed since `begin`. */
  get pragmas(): readonly Pragma[] {
    return this.#pragmas;
  }

  /** The authorizer itself. */
  readonly decide = (action: number, first: string | null, second: string | null): number => {
    const denial = this.#restricted ? this.#refuse(action, first, second) : undefined;
    if (denial !== undefined) {
      this.denial = denial;
      return DENY;
    }
    if (PINNING.has(action) && !this.#vacuum) this.pinned = true;
    if (action === constants.SQLITE_PRAGMA && second !== null) {
      this.#note(String(first).toLowerCase(), second);
    }
    return OK;
  };

  #refuse(action: number, first: string | null, second: string | null): Denial | undefined {
    if (action === constants.SQLITE_ATTACH && first !== "" && first !== ":memory:") {
      return {
        verb: this.#vacuum ? "vacuum into" : "attach",
        object: first === null ? "a computed name" : `'${first}'`,
        reason: "only '' and ':memory:' are open to a restricted script",
      };
    }
    const called = action === constants.SQLITE_FUNCTION ? String(second).toLowerCase() : "";
    if (DENIED_FUNCTIONS.has(called)) return { verb: "call", object: called, reason: "it loads native code" };
    const name = action === constants.SQLITE_PRAGMA ? String(first).toLowerCase() : "";
    const reason = DENIED_PRAGMAS[name];
    return reason === undefined ? undefined : { verb: "pragma", object: name, reason };
  }

  #note(name: string, value: string): void {
    if (CONNECTION_PRAGMAS.has(name)) this.#pragmas.push([name, value]);
    else if (name === "locking_mode") this.pinned = true;
  }
}
