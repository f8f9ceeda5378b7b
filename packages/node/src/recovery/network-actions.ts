/** What each network action does to signaling and to the links (spec: node 5.9). */
import type { Peers } from "../transport/peers.ts";
import type { LimitsOf } from "../limits.ts";
import type { SignalingClient } from "../signaling/signaling-client.ts";
import type { NetworkAction } from "./network-machine.ts";

export interface NetworkActionParts {
  readonly signaling: Pick<SignalingClient, "up" | "ping" | "pause" | "reconnect">;
  readonly peers: Pick<Peers, "drop">;
}

const ORDERLY = 1_000;

/** Resolves when it is done; connections come back in their own time. */
export async function performNetworkAction(
  action: NetworkAction, { signaling, peers }: NetworkActionParts,
  o: { readonly limits: LimitsOf<"recovery">; readonly signal: AbortSignal },
): Promise<void> {
  const cleanUp = (why: string): Promise<void> => {
    signaling.pause(why);
    return peers.drop(undefined, ORDERLY, why);
  };
  const answers = (): Promise<boolean> => signaling.ping({ ms: o.limits.probeMsMax, signal: o.signal });
  switch (action) {
    case "noop": return;
    case "cleanup_only": return cleanUp("cleaned up");
    case "offline": return cleanUp("the network is away");
    case "force_reconnect": {
      await cleanUp("the network has changed");
      signaling.reconnect("the network has changed");
      return;
    }
    case "restore":
    case "probe": {
      // Another way may have taken its place without a word: only an answer shows that it still holds.
      if (!signaling.up || !await answers()) signaling.reconnect("the network has changed");
    }
  }
}
