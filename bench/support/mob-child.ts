/** A mob in another process, as a bench holds it; see mob-process.ts. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { MobAnswers, MobAsk, MobOrder } from "./mob-process.ts";

const PROGRAM = fileURLToPath(new URL("./mob-process.ts", import.meta.url));

export interface MobChild extends AsyncDisposable {
  /** Of its HTTP, when it has one. */
  readonly url: string;
  readonly token: string;
  /** Milliseconds of processor time. */
  cpu(): Promise<number>;
  /** Resident bytes. */
  memory(): Promise<number>;
  wake(o: Omit<MobAsk & { readonly ask: "wake" }, "ask">): Promise<readonly number[]>;
}

/** Resolves when it accepts turns. */
export async function startMob(order: MobOrder): Promise<MobChild> {
  const child = fork(PROGRAM, [JSON.stringify(order)], { execArgv: ["--expose-gc"] });
  const { url, token } = await answer(child) as { readonly url: string; readonly token: string };
  const asked = async (ask: MobAsk): Promise<unknown> => {
    child.send(ask);
    return answer(child);
  };
  return {
    url, token, cpu: async () => await asked({ ask: "cpu" }) as number / 1_000, memory: async () => await asked({ ask: "memory" }) as number,
    wake: async (o) => await asked({ ask: "wake", ...o }) as MobAnswers["wake"],
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

async function answer(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      once(child, "message", ended).then(([message]) => message as unknown),
      once(child, "exit", ended).then(([code]) => {
        throw new Error(`the process of the mob has ended with ${code}`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}
