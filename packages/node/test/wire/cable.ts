/** A cable that can be cut: passes a TCP port on, until it breaks every connection without a word. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Cable extends AsyncDisposable {
  /** The address with the port of the cable. */
  readonly address: string;
  /** Breaks what stands. */
  cut(): void;
  /** Passes nothing on and breaks nothing, until it is called with false. */
  hold(held: boolean): void;
}

export async function cable(address: string): Promise<Cable> {
  const url = new URL(address);
  const [host, port] = [url.hostname, Number(url.port)];
  const ends = new Set<Socket>();
  let held = false;
  const server = createServer((near) => {
    const far = connect(port, host);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      ends.add(from);
      from.setNoDelay();
      from.on("data", (chunk) => {
        if (!held) to.write(chunk);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        ends.delete(from);
        to.destroySoon();
      });
    }
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  url.port = String((server.address() as AddressInfo).port);
  return {
    address: url.href,
    cut: () => {
      for (const end of ends) end.destroy();
    },
    hold: (now) => {
      held = now;
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) end.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
