/** Values of secret variables do not leave a run in logs, events and errors (spec: block 8.4). */
import { type FaultInit, isFault, isSecretName, type Json, Redactor, toFaultData } from "@atoll-run/core";
import { type BlockCode, type BlockFault, blockError } from "../errors.ts";

export class Masking {
  readonly #redactor = new Redactor();

  /** Learns the values of `env` whose names say that they are secret. */
  learn(env: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(env)) if (isSecretName(name)) this.#redactor.add(value);
  }

  add(secret: string): void {
    this.#redactor.add(secret);
  }

  text(text: string): string {
    return this.#redactor.text(text);
  }

  fields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return this.#redactor.json(fields as Json) as Record<string, unknown>;
  }

  /** The fault as a host may see it; the same one when it holds no secret. */
  fault(error: unknown): unknown {
    if (!isFault(error)) return error;
    const { code, text, ...data } = toFaultData(error);
    const more = this.#redactor.json(data as Json) as typeof data;
    if (this.text(text) === text && JSON.stringify(more, plain) === JSON.stringify(data, plain)) return error;
    return blockError(code as BlockCode, this.text(text), more as Partial<FaultInit<BlockFault>>);
  }
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
