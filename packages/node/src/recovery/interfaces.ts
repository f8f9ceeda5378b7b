/** What this machine is connected to, as one text (spec: node 5.10). */
import { networkInterfaces } from "node:os";

/** Addresses of all interfaces but the loopback; empty = none. Addresses that are valid for one link only do not count. */
export function interfacesText(): string {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0).map(({ address }) => `${name} ${address}`))
    .sort().join(", ");
}
