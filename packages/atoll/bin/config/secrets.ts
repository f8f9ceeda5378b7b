/** What must never be shown: values of variables whose names say so, and the key of the mesh. */
import { parseEnv } from "node:util";
import { isSecretName, Redactor, Secret, type Reading } from "@atoll-run/core";
import { secretKeyProblem } from "@atoll-run/block/internal";
import type { Env } from "../../src/compose/settings.ts";

/**
 * Names and values of secret variables; the environment wins over `.env`. `dotenv`: text of the project's
 * `.env`.
 */
export function toSecrets(env: Env, dotenv = ""): ReadonlyMap<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const [name, value] of Object.entries({ ...parseEnv(dotenv), ...env })) {
    if (isSecretName(name) && value !== undefined && value !== "") secrets.set(name, new Secret(value));
  }
  return secrets;
}

export function toRedactor(secrets: Iterable<Secret>): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor;
}

export function readSecretKey(text: string): Reading<Secret> {
  const key = text.trim();
  const problem = secretKeyProblem(key);
  return problem === undefined ? { ok: true, value: new Secret(key) } : { ok: false, problem };
}
