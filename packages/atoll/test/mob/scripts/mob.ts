import { bus, mob } from "@atoll-run/atoll/script";

interface Ask {
  readonly verb: "me" | "members" | "send" | "request" | "spawn" | "retire" | "wake" | "note";
  readonly args?: readonly unknown[];
}

bus.on("turn", async (event) => {
  const { verb, args = [] } = event.payload as unknown as Ask;
  try {
    const given = await (mob[verb] as (...args: readonly unknown[]) => Promise<unknown>)(...args);
    return { given: given as never };
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, text: message };
  }
}, { isle: "main" });
await bus.serve();
