import { bus, http, sh, std } from "@atoll-run/atoll/script";

const acts = {
  "fs.write": (at: string) => std.fs.write(at, "x"),
  net: (at: string) => http.request(`http://${at}/`),
  run: async (at: string) => {
    const { ok, code, error } = await sh.exec(at, { args: [] }) as { ok: boolean; code?: string; error?: string };
    if (!ok) throw Object.assign(new Error(error), { code });
  },
};

bus.on("turn", async (event) => {
  const { grant, at } = event.payload as { grant: keyof typeof acts; at: string };
  await acts[grant](at);
});
await bus.serve();
