// What the service sends, checked before anything is stored.
import { std } from "@atoll-run/atoll/script";

export interface Price {
  readonly name: string;
  readonly cents: number;
}

/** Prices in a JSON text; throws at the first that is none. */
export function readPrices(text: string): readonly Price[] {
  const list = std.json.decode(text);
  if (!Array.isArray(list)) throw new Error("prices: a list is expected");
  return list.map((entry: Record<string, unknown>, i) => {
    const [ok, why = []] = std.validate.check(entry, { name: { type: "string", required: true }, cents: { type: "integer", required: true } });
    if (!ok) throw new Error(`prices[${i}]: ${why.join("; ")}`);
    return { name: String(entry["name"]), cents: Number(entry["cents"]) };
  });
}
