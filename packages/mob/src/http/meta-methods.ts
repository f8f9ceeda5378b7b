/** Methods of what programs keep with a mob (spec: mob 6.5, 11.5). */
import { z } from "zod";
import { getMeta, setMeta, type Meta } from "../sessions/meta.ts";
import { method, type Method } from "./method.ts";
import { json } from "./results.ts";

const key = z.string().min(1).max(256);
const result = z.object({ key: z.string(), value: json.nullable(), revision: z.int().min(0) }).meta({ id: "Meta" }) satisfies z.ZodType<Meta>;

export const META_METHODS: readonly Method[] = [
  method({
    name: "meta/get", writes: false, action: "mob.view", keys: ["key"], summary: "A value that a program keeps here, with its revision; 0 when there is none.",
    params: z.strictObject({ key }), result, run: (served, params) => getMeta(served, params.key),
  }),
  method({
    name: "meta/set", writes: true, action: "mob.admin", keys: ["key"],
    summary: "Sets it, with expected only if that is its revision; null takes it away.",
    params: z.strictObject({ key, value: json.nullable(), expected: z.int().min(0).optional() }), result, rest: { verb: "PUT", path: "/meta/{key}" },
    run: ({ ledger, writer, clock, limits }, params) => setMeta({ ledger, writer, limits, now: () => clock.now() }, params),
  }),
];
