/** Which model a run without a name would speak to; loaded with the first question. */

export interface ChosenModel {
  readonly provider: string;
  readonly model: string;
}

/**
 * The first provider that has a key in that environment, or the named one if it has; with the model that the environment names, else the provider's own default.
 * Undefined: there is no key.
 */
export async function chooseModel(env: Readonly<Record<string, string>>, named?: string): Promise<ChosenModel | undefined> {
  const { PROVIDERS } = await import("./agent/models.ts");
  const found = Object.values(PROVIDERS).find(({ id, keyVariable }) => (named === undefined || id === named) && (env[keyVariable] ?? "") !== "");
  return found === undefined ? undefined : { provider: found.id, model: env[found.modelVariable] || found.defaultModel };
}
