/** What a call of a model costs (spec: mob 3.1). Pure: prices stand in the definition, none is made up here. */
import type { ModelAnswer } from "@atoll-run/block";
import type { MobDefinition, Price } from "../definition/definition.ts";
import type { Usage } from "./usage.ts";

const MILLION = 1_000_000;

/** The entry that fits the model and says most of its name. Undefined: nobody has said. */
export function priceOf(prices: MobDefinition["prices"], model: string): Price | undefined {
  const fits = Object.entries(prices).filter(([glob]) => glob.endsWith("*") ? model.startsWith(glob.slice(0, -1)) : model === glob);
  return fits.sort(([a], [b]) => b.length - a.length)[0]?.[1];
}

export function usageOfCall({ usage }: ModelAnswer, price: Price | undefined): Pick<Usage, "tokens_in" | "tokens_out" | "cost_usd"> {
  const { input_tokens, output_tokens, cache_read_tokens: read, cache_write_tokens: written, cache_beside_input: beside } = usage;
  const tokens = { tokens_in: input_tokens + beside, tokens_out: output_tokens };
  if (price === undefined) return { ...tokens, cost_usd: null };
  const { input, output, cache_read = input, cache_write = input } = price;
  // Some providers count what was in the cache among the input, others beside it.
  const plain = input_tokens + beside - read - written;
  const cost_usd = (plain * input + read * cache_read + written * cache_write + output_tokens * output) / MILLION;
  return { ...tokens, cost_usd };
}
