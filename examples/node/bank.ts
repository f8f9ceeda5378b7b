/** A bank: the TypeScript service of the example. `atoll node up bank.toml` runs it. */
import { existsSync } from "node:fs";
import { json, route, service, streamRoute } from "@atoll-run/atoll/node";

export const Bank = service({
  type: "acme:bank:1.0.0", name: "bank.Bank",
  routes: {
    /** Calls with one account run one after the other. */
    Charge: route({
      input: json<{ account: string; amount: number }>(), output: json<{ id: string; total: number }>(), key: (input) => input.account,
    }),
    Total: route({ input: json<{ account: string }>(), output: json<number>() }),
    Note: route({ input: json<{ text: string }>(), tell: true, attempts: 2, backoffMs: 100 }),
  },
  streams: { Audit: streamRoute({ mode: "reliable", item: json<{ line: number }>() }) },
});

export default Bank.implement({
  async Charge({ account, amount }, ctx) {
    const total = Number(await ctx.kv.get(account) ?? 0) + amount;
    // Done in the one commit that also stores the answer: a caller that asks again charges nobody twice.
    ctx.transaction((tx) => tx.kv.set(account, total));
    return { id: ctx.requestId, total };
  },
  Total: async ({ account }, ctx) => Number(await ctx.kv.get(account) ?? 0),
  Note({ text }) {
    if (text === "poison" && !existsSync("fixed")) throw new Error("this note cannot be read");
    console.log(`bank: noted "${text}"`);
  },
  async Audit(lines) {
    let sum = 0;
    for await (const { line } of lines) sum += line;
    console.log(`bank: audited, the sum of all lines is ${sum}`);
  },
});
