/**
 * How a lasting command ends (STYLE B.2): the first signal begins an orderly end, the second leaves each step a second,
 * the third ends the process.
 */
import { EXIT } from "../exit.ts";
import { hearSignals } from "../signals.ts";

export interface EndOptions {
  /** 1 at the first signal, 2 at the second. */
  readonly count: number;
}

/** Resolves when it has ended, with the exit code: 0 after an orderly end, 128+n when it was hurried. */
export async function untilSignal(
  end: (o: EndOptions) => Promise<unknown>, ended: Promise<unknown> = new Promise(() => undefined),
): Promise<number> {
  const over = Promise.withResolvers<unknown>();
  let code: number = EXIT.ok;
  using _ = hearSignals(({ count, number }) => {
    if (count > 2) process.exit(EXIT.signal + number);
    if (count === 2) code = EXIT.signal + number;
    end({ count }).then(over.resolve, over.reject);
  });
  await Promise.race([over.promise, ended]);
  return code;
}
