/** The other process, as a bench holds it; see peer-process.ts. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./peer-process.ts", import.meta.url));

export interface Peer extends AsyncDisposable {
  readonly address: string;
  /** Its resident bytes, after a collection. */
  memory(): Promise<number>;
}

/** `folder`: it stores what it gets. */
export async function startPeer(how: "node" | "raw" | "moleculer", folder = ""): Promise<Peer> {
  const child = fork(PROGRAM, [how, folder], { execArgv: ["--expose-gc"] });
  const { address } = await answer(child) as { readonly address: string };
  return {
    address,
    memory: async () => {
      child.send("memory");
      return (await answer(child) as { readonly rss: number }).rss;
    },
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
        throw new Error(`the other process has ended with ${code}`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}
