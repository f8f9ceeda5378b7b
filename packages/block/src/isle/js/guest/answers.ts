/** Inside an isle: answers at once, times, and outcomes for the host. */
import type { Guest } from "./guest.ts";

export function answers(g: Guest): void {
  const timers = new Map<number, () => void>();
  let lastId = 0;

  g.now = (what, name, value) => {
    const { text, bytes } = g.pack(value);
    const answer = g.unpack(g.host(what, 0, text, name, ...bytes) as string, []);
    if (answer.fault !== undefined) throw g.fault(answer.fault);
    return answer.value;
  };

  g.after = (ms, then) => {
    const id = ++lastId;
    timers.set(id, then);
    g.host("timer", id, String(ms), "");
    return () => {
      if (timers.delete(id)) g.host("noTimer", id, "", "");
    };
  };

  g.answer = async (what, id, work) => {
    try {
      const { text, bytes } = g.pack(await work());
      g.host(what, id, text, "ok", ...bytes);
    } catch (error) {
      const { text, bytes } = g.pack(g.told(error));
      g.host(what, id, text, "failed", ...bytes);
    }
  };

  g.on["timer"] = (id) => {
    const then = timers.get(id);
    timers.delete(id);
    then?.();
  };
}
