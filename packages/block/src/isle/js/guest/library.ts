/** Inside an isle: what of the library is more than a plain call. */
import type { Any, Guest } from "./guest.ts";

export function library(g: Guest): void {
  const { api, setup } = g;
  const std = api["std"];
  Object.assign(std.json, {
    encode: (v: unknown) => g.now("encode", "", v), encodePretty: (v: unknown) => g.now("encode", "pretty", v),
    decode: (text: unknown) => g.now("decode", "", text),
    readFile: async (path: unknown) => g.now("decode", "", await g.call("std.json.read_file", [path])),
    writeFile: (path: unknown, v: unknown) =>
      new Promise((resolve) => resolve(g.call("std.json.write_file", [path, g.now("encode", "pretty", v)]))),
  });
  for (const fn of ["query", "exec"]) {
    std.sql[fn] = (sql: unknown, params?: unknown, o?: Any) =>
      g.call(`std.sql.${fn}`, [sql, params], o?.signal === undefined ? {} : { signal: o.signal });
  }
  std.sql.null = null;
  std.validate.check = (data: unknown, schema: unknown) => g.now("validate", "", [data, schema]);

  const seconds = (fn: () => number): number => fn() / 1000;
  Object.assign(std.time, {
    now: () => seconds(Date.now), millis: () => Date.now(),
    async measure(fn: () => unknown) {
      if (typeof fn !== "function") throw g.wrongType("time.measure", 1, "function", fn);
      const begun = g.now("clock", "", null);
      const value = await fn();
      return [(g.now("clock", "", null) - begun) / 1000, value];
    },
    sleep: (s: unknown) => new Promise((resolve, reject) => {
      const ms = g.now("sleepMs", "", s);
      if (g.ending.fault !== undefined) reject(g.ending.fault);
      else g.after(ms, () => (g.ending.fault === undefined ? resolve(undefined) : reject(g.ending.fault)));
    }),
  });

  for (const level of ["debug", "info", "warn", "error"]) {
    api["log"][level] = (msg: unknown, fields?: Any) => {
      const plain = typeof fields === "object" && fields !== null ? { ...fields } : {};
      g.note(level, "lua", g.show([msg]), { ...plain, script: setup.scriptName });
    };
  }
  api["mesh"].agentId = std.env.agentId = () => setup.agentId;
  std.env.projectRoot = () => setup.projectRoot;
}
