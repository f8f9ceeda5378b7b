/** The WebSocket wire passes the chapters of its port. */
import { after } from "node:test";
import { wireChapters } from "@atoll-run/testkit";
import { openWebSocketWire } from "@atoll-run/node/internal";
import { cable, type Cable } from "./cable.ts";
import { realClock } from "./clock.ts";
import { bytes, newSession, sourceOf, testRealm } from "./realm.ts";

const realm = await testRealm();
const cables = new Map<object, Cable>();

wireChapters({
  name: "websocket",
  start: async (events) => {
    const session = await newSession(realm);
    const wire = await openWebSocketWire({
      clock: realClock, bytes, events, session: sourceOf(session), verifier: realm.verifier,
    }, { listen: { host: "127.0.0.1", port: 0 } });
    const own = await cable(wire.addresses[0] ?? "");
    cables.set(session.id, own);
    return {
      id: session.id, address: own.address, wire, ...session.key === undefined ? {} : { node_key: session.key.publicKey },
    };
  },
  cut: ({ id }) => cables.get(id)?.cut(),
});

after(() => Promise.all([...cables.values()].map((one) => one[Symbol.asyncDispose]())));
