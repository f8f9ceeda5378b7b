/** Who is connected, and who hears of whom (spec: node 7.6). */
import { toActrId } from "@atoll-run/core/internal";
import type { PresenceEvent, Registry } from "../registry/registry.ts";
import { CLOSE, type Connection } from "./connection.ts";

export class Connections {
  readonly #byId = new Map<string, Connection>();
  readonly #byType = new Map<string, Set<Connection>>();
  replaced = 0;

  get size(): number {
    return this.#byId.size;
  }

  get(text: string): Connection | undefined {
    return this.#byId.get(text);
  }

  all(): readonly Connection[] {
    return [...this.#byId.values()];
  }

  /** A newer connection of an id takes the place of the older one. */
  add(connection: Connection): void {
    const older = this.#byId.get(connection.text);
    this.#byId.set(connection.text, connection);
    if (older === undefined) return;
    this.replaced++;
    this.remove(older);
    older.close(CLOSE.replaced, "a newer connection took its place");
  }

  remove(connection: Connection): void {
    for (const type of connection.follows) this.unfollow(connection, type);
    if (this.#byId.get(connection.text) === connection) this.#byId.delete(connection.text);
  }

  /** False when it follows too many. */
  follow(connection: Connection, type: string, max: number): boolean {
    if (!connection.follows.has(type) && connection.follows.size >= max) return false;
    connection.follows.add(type);
    const followers = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, followers.add(connection));
    return true;
  }

  unfollow(connection: Connection, type: string): void {
    connection.follows.delete(type);
    const followers = this.#byType.get(type);
    followers?.delete(connection);
    if (followers?.size === 0) this.#byType.delete(type);
  }

  /** Tells those who follow the type and may reach the node. Only aware ones know that somebody can go. */
  announce({ kind, entry, reason }: PresenceEvent, registry: Registry): void {
    for (const connection of this.#byType.get(entry.type) ?? []) {
      if (connection.text === entry.text || !registry.maySee(entry, connection.asker)) continue;
      const actorId = toActrId(entry.id);
      if (kind === "up") connection.tell({ case: "actrUpEvent", value: { actorId } });
      else if (connection.aware) connection.tell({ case: "actrDownEvent", value: { actorId, reason } });
    }
  }
}
