/** Signals of the program. Only the program installs handlers; a library never does. */
import { constants } from "node:os";

const HEARD = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface SignalFact {
  readonly name: (typeof HEARD)[number];
  /** As in the exit code 128+n. */
  readonly number: number;
  /** 1 for the first signal of any kind, 2 for the second. */
  readonly count: number;
}

/** Hears every signal until disposed; without a handler Node would end the process at the first. */
export function hearSignals(hear: (fact: SignalFact) => void): Disposable {
  let count = 0;
  const handlers = HEARD.map((name) => {
    const handler = (): void => hear({ name, number: constants.signals[name], count: ++count });
    process.on(name, handler);
    return { name, handler };
  });
  return {
    [Symbol.dispose]: () => {
      for (const { name, handler } of handlers) process.off(name, handler);
    },
  };
}
