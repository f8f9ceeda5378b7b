// A handler in a module of its own: it runs in the handler isle, so it never waits for the script.
import { type BusEvent, std } from "@atoll-run/atoll/script";

export default async function average(event: BusEvent): Promise<unknown> {
  const { name } = event.payload as { readonly name: string };
  const [row] = await std.ts.query("prices", { agg: "avg", tags: { name } });
  return row?.value ?? null;
}
