/**
 * A fixed number of SQL children, leased to databases one at a time. A database keeps its lease while it
 * has a statement or an open transaction, so that killing its child never touches another's. Its connection
 * stays open in the child afterwards, and the child it was in last is its first choice.
 */
import { SqlProcess } from "./sql-process.ts";

/** Databases whose connection one child keeps open. */
const CONNECTIONS_MAX = 64;

export interface Tenant {
  readonly id: number;
  /** Child that holds its connection. */
  readonly home: SqlProcess | undefined;
  /** Its connection holds what would be lost elsewhere: it waits for its home. */
  readonly pinned: boolean;
  /** It has this child until it gives it back with `release`. */
  leased(process: SqlProcess): void;
  /** Milliseconds since it last used its lease; 0 while a statement runs. */
  idleMs(): number;
  /** Gives up its lease and with it the open transaction. */
  evict(): void;
  /** The connection that this child held is closed. */
  moved(): void;
  /** The child ended. */
  lost(process: SqlProcess, how: string): void;
}

export interface PoolLimits {
  /** Children at most. */
  readonly children: number;
  /**
   * An open transaction that was not used for so long is rolled back when others wait for a child.
   * Milliseconds.
   */
  readonly idleTransactionMs: number;
}

export class ProcessPool {
  readonly #limits: PoolLimits;
  /** Living children and the databases whose connections they hold. */
  readonly #processes = new Map<SqlProcess, Set<Tenant>>();
  readonly #leases = new Map<SqlProcess, Tenant>();
  readonly #waiting = new Set<Tenant>();
  #evictTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** `tenant.leased` is called now or when a child is free. Asking twice is asking once. */
  lease(tenant: Tenant): void {
    this.#waiting.add(tenant);
    this.#match();
  }

  /** The database no longer wants a child. */
  cancel(tenant: Tenant): void {
    this.#waiting.delete(tenant);
  }

  release(process: SqlProcess): void {
    this.#leases.delete(process);
    this.#match();
  }

  /** The database has opened its connection in this child. */
  settle(tenant: Tenant, process: SqlProcess): void {
    const tenants = this.#processes.get(process);
    if (tenants === undefined || tenants.has(tenant)) return;
    const oldest = tenants.size < CONNECTIONS_MAX ? undefined : [...tenants].find((one) => !one.pinned);
    if (oldest !== undefined) this.leave(oldest, process);
    tenants.add(tenant);
  }

  /** Closes the database's connection in this child; resolves when the file is let go. */
  async leave(tenant: Tenant, process: SqlProcess): Promise<void> {
    this.#processes.get(process)?.delete(tenant);
    const closed = process.request({ op: "close", db: tenant.id });
    tenant.moved();
    await closed;
  }

  /** It is being killed: no more leases of it, and room for another. */
  discard(process: SqlProcess): void {
    const tenants = this.#processes.get(process);
    if (tenants === undefined) return;
    this.#processes.delete(process);
    void process.exited.then((how) => this.#lose(process, tenants, how));
  }

  /** Ends every child. Databases must be closed before. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#evictTimer);
    await Promise.all([...this.#processes.keys()].map((process) => process.end()));
  }

  #lose(process: SqlProcess, tenants: ReadonlySet<Tenant>, how: string): void {
    const holder = this.#leases.get(process);
    this.#leases.delete(process);
    const hit = new Set(holder === undefined ? tenants : [...tenants, holder]);
    for (const tenant of hit) tenant.lost(process, how);
    this.#match();
  }

  #match(): void {
    if (this.#closed) return;
    for (const tenant of this.#waiting) {
      const process = this.#pick(tenant);
      if (process === undefined) continue;
      this.#waiting.delete(tenant);
      this.#leases.set(process, tenant);
      if (tenant.home !== undefined && tenant.home !== process) void this.leave(tenant, tenant.home);
      tenant.leased(process);
    }
    this.#watchIdle();
  }

  #pick(tenant: Tenant): SqlProcess | undefined {
    const { home } = tenant;
    if (home !== undefined && this.#processes.has(home)) {
      if (!this.#leases.has(home)) return home;
      if (tenant.pinned) return undefined;
    }
    const free = [...this.#processes].filter(([process]) => !this.#leases.has(process));
    free.sort(([, a], [, b]) => a.size - b.size);
    return free[0]?.[0] ?? (this.#processes.size < this.#limits.children ? this.#start() : undefined);
  }

  #start(): SqlProcess {
    const process = new SqlProcess();
    this.#processes.set(process, new Set());
    void process.exited.then(() => this.discard(process));
    return process;
  }

  #watchIdle(): void {
    if (this.#waiting.size === 0 || this.#evictTimer !== undefined) return;
    const { idleTransactionMs } = this.#limits;
    this.#evictTimer = setTimeout(() => {
      this.#evictTimer = undefined;
      const holders = [...this.#leases.values()].sort((a, b) => b.idleMs() - a.idleMs());
      const [longest] = holders;
      const due = longest !== undefined && longest.idleMs() >= idleTransactionMs;
      if (this.#waiting.size > 0 && due) longest.evict();
      this.#watchIdle();
    }, Math.max(10, idleTransactionMs / 4));
  }
}
