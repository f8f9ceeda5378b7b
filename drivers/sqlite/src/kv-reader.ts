/**
 * Reads single small values on the caller's own thread.
 * takes a namespace and a key; gives what is committed; promises to wait for nothing (a reader of a WAL file waits for
 * no writer) and to take some 10 µs; refuses whatever else there is, which the store worker then answers; never writes.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** A store that is read now and then is not worth a connection. */
const READS_BEFORE = 16;
/** Larger values would hold up the thread. */
const VALUE_BYTES_MAX = 65_536;

export class KvReader {
  readonly #path: string;
  #reads = 0;
  #db: DatabaseSync | undefined;
  #get: StatementSync | undefined;
  #closed = false;

  /** `path`: a file in WAL mode. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The worker has answered a read: the file is there. */
  answered(): void {
    this.#reads++;
  }

  /** Undefined = ask the worker. */
  get(ns: string, key: string): { readonly value: string | undefined } | undefined {
    if (this.#reads < READS_BEFORE || this.#closed) return undefined;
    try {
      const row = (this.#get ??= this.#open()).get(ns, key) as unknown as [string | null] | undefined;
      if (row === undefined) return { value: undefined };
      return row[0] === null ? undefined : { value: row[0] };
    } catch {
      // the worker knows the words for what is wrong; after some of its answers this is tried again
      this.#letGo();
      return undefined;
    }
  }

  close(): void {
    this.#closed = true;
    this.#letGo();
  }

  #open(): StatementSync {
    this.#db = new DatabaseSync(this.#path, { readOnly: true, timeout: 0 });
    const get = this.#db.prepare(
      `SELECT CASE WHEN octet_length(value) <= ${VALUE_BYTES_MAX} THEN value END FROM __kv WHERE ns = ? AND key = ?`);
    get.setReturnArrays(true);
    return get;
  }

  #letGo(): void {
    const db = this.#db;
    this.#get = this.#db = undefined;
    this.#reads = 0;
    try {
      db?.close();
    } catch {
      // Nothing was written: there is nothing to lose.
    }
  }
}
