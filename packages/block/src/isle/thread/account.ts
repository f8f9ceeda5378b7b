/** What isles spend: the CPU clock of a thread, and the account of a run. */

/** The account of the run's CPU time: adds milliseconds, gives the total. */
export function spending(shared: SharedArrayBuffer): (ms: number) => number {
  const account = new BigInt64Array(shared);
  return (ms) => {
    if (ms === 0) return Number(Atomics.load(account, 0)) / 1000;
    const us = BigInt(Math.max(0, Math.round(ms * 1000)));
    return Number(Atomics.add(account, 0, us) + us) / 1000;
  };
}

/** CPU milliseconds of this thread. */
export function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
