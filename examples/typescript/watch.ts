// Reads prices from a service, keeps what changed, and answers events about it.
import { block, bus, http, log, std, tool } from "@atoll-run/atoll/script";
import { type Price, readPrices } from "./prices.ts";

const [url = "http://127.0.0.1:8080/prices.json", mode] = block.args;

/** Stores what is new; gives the changed names in order. */
async function update(): Promise<string[]> {
  const answer = await http.request(url, { timeout: 5 });
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  const changed: string[] = [];
  for (const { name, cents } of readPrices(String(answer.body))) {
    if ((await std.kv.get("prices", name)) === cents) continue;
    await std.kv.set("prices", name, cents);
    await std.ts.append("prices", cents, { name });
    changed.push(name);
  }
  log.info("prices read", { url, changed: changed.length });
  return changed;
}

tool.register("price", {
  description: "The last known price of a thing, in cents.",
  input_schema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
}, async (input) => (await std.kv.get("prices", (input as unknown as Price).name)) ?? null);

const changed = await update();
console.log(changed.length === 0 ? "nothing changed" : `changed: ${changed.join(", ")}`);

if (mode === "serve") {
  // handlers stay beside this script and may use what it has; one in a module of its own runs beside it
  await bus.on("update", update);
  await bus.onModule("average", "./average.ts");
  await bus.serve();
}

export default changed;
