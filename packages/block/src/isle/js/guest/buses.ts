/** Inside an isle: handlers. They stay in the isle that registers them; `onModule` loads one in the handler isle. */
import type { Any, Guest } from "./guest.ts";

export function buses(g: Guest): void {
  const { bus, mesh } = g.api;
  const ANY = "__on_any";

  const options = (what: string, index: number, opts: Any): Any => {
    if (opts === undefined || opts === null) return {};
    if (typeof opts !== "object") throw g.wrongType(what, index, "table", opts);
    const given = g.snake(opts);
    if (given.isle === undefined || given.isle === g.setup.role) return given;
    throw g.error("bus.register", `${what}: a handler of JavaScript stays in its isle; use bus.onModule for the handler isle`);
  };

  const register = async (what: string, kind: string, [fn, opts]: Any[]): Promise<void> => {
    const index = what === "bus.on" ? 2 : 1;
    if (typeof fn !== "function") throw g.wrongType(what, index, "function", fn);
    const given = options(what, index + 1, opts);
    const ref = g.keep(fn);
    try {
      await g.call("bus.on", [what, kind, { ref }, given]);
    } catch (error) {
      g.kept.delete(ref);
      throw error;
    }
  };

  bus.on = async (kind: unknown, fn: unknown, opts?: unknown) => {
    if (typeof kind !== "string" && typeof kind !== "number") throw g.wrongType("bus.on", 1, "string", kind);
    await register("bus.on", String(kind), [fn, opts]);
  };
  bus.onAny = (fn: unknown, opts?: unknown) => register("bus.on_any", ANY, [fn, opts]);
  mesh.on = (fn: unknown, opts?: unknown) => register("mesh.on", "mesh", [fn, opts]);
  bus.onModule = async (kind: unknown, module: unknown, opts?: unknown) => {
    if (typeof kind !== "string") throw g.wrongType("bus.onModule", 1, "string", kind);
    if (typeof module !== "string") throw g.wrongType("bus.onModule", 2, "string", module);
    if (opts !== undefined && (typeof opts !== "object" || opts === null)) throw g.wrongType("bus.onModule", 3, "table", opts);
    const moved = { code: new Uint8Array(), chunk: module, captures: [] };
    await g.call("bus.on", ["bus.onModule", kind, { moved }, g.snake(opts ?? {})]);
  };
}
