/** The token of the operator. Without one nobody is an operator. */
import type { Secret } from "@atoll-run/core";
import { hashOf, isHashOf } from "../identity/secrets.ts";

export class AdminToken {
  readonly #hash: string | undefined;

  constructor(token: Secret | undefined) {
    this.#hash = token === undefined || token.reveal() === "" ? undefined : hashOf(token.reveal());
  }

  /** Whether the request bears it: `Authorization: Bearer <token>`. */
  isShown(headers: Readonly<Record<string, string | undefined>>): boolean {
    const [scheme = "", token = "", ...more] = (headers["authorization"] ?? "").split(" ");
    return this.#hash !== undefined && scheme.toLowerCase() === "bearer" && more.length === 0 && isHashOf(this.#hash, token);
  }
}
