/** The way to a realm of this process: function calls, the same bytes as on the network. */
import { nodeError, NodeError } from "@atoll-run/core";
import { fromRealmError } from "@atoll-run/core/internal";
import type { RealmAnswer, RealmDoor, SignalingDial, SignalingPipe } from "../identity/realm-door.ts";

/** What a realm offers to nodes beside it. */
export interface RealmInProcess {
  ais(ask: {
    readonly method: string; readonly path: string; readonly query: URLSearchParams;
    readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array;
  }): Promise<RealmAnswer>;
  signaling(o: { readonly headers: Readonly<Record<string, string>>; readonly query: URLSearchParams }): Promise<
    | { readonly ok: true; readonly headers: Readonly<Record<string, string>>; open(out: Out): In; abandon(): void }
    | { readonly ok: false; readonly code: number; readonly text: string; readonly retry_after_ms?: number }
  >;
}

interface Out {
  send(frame: Uint8Array): void;
  close(code: number, reason: string): void;
  buffered(): number;
}

interface In {
  frame(bytes: Uint8Array): void;
  closed(): void;
}

/** Contract of `realm`: it may be closed or gone, then its calls throw. */
export function createProcessDoor(realm: RealmInProcess): RealmDoor {
  return {
    remote: false,
    async ask({ method, path, headers, body = new Uint8Array() }, { signal }) {
      signal.throwIfAborted();
      const [before = "", query = ""] = path.split("?");
      const wanted = { method, path: `/ais/${before}`, query: new URLSearchParams(query), headers, body };
      return realm.ais(wanted).catch((error: unknown) => {
        throw away(error);
      });
    },
    async dial(o) {
      const upgrade = await realm.signaling({ headers: o.headers, query: new URLSearchParams(o.query) })
        .catch((error: unknown) => {
          throw away(error);
        });
      if (upgrade.ok) {
        if (!o.signal.aborted) return join(o, upgrade);
        upgrade.abandon();
        throw o.signal.reason;
      }
      const { code, text, retry_after_ms } = upgrade;
      const fault = fromRealmError({ code, message: text });
      throw new NodeError({
        code: fault.code, retry: fault.retry, facts: { wire_code: code }, text,
        ...retry_after_ms === undefined ? {} : { retry_after_ms },
      });
    },
  };
}

function join(
  { hear }: SignalingDial, { headers, open }: { readonly headers: Readonly<Record<string, string>>; open(out: Out): In },
): SignalingPipe {
  let ended = false;
  /** A realm that is being closed ends it before it is given. */
  let realm: In | undefined = undefined;
  const end = (code: number, reason: string): void => {
    if (ended) return;
    ended = true;
    hear.ended(code, reason);
  };
  realm = open({
    send: (frame) => {
      if (!ended) hear.frame(frame);
    },
    close: (code, reason) => {
      end(code, reason);
      realm?.closed();
    },
    buffered: () => 0,
  });
  return {
    headers, bufferedBytes: 0,
    send: (frame) => {
      if (!ended) realm?.frame(frame);
    },
    close: (code, reason) => {
      if (ended) return;
      end(code, reason);
      realm?.closed();
    },
  };
}

function away(error: unknown): NodeError {
  const why = error instanceof Error ? error.message : String(error);
  return nodeError("node.unavailable", `the realm of this process cannot be asked: ${why}`, { cause: error });
}
