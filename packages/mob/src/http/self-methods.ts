/** Methods that speak of the table itself and of who asks. */
import { z } from "zod";
import { method, type Method } from "./method.ts";
import { none } from "./schemas.ts";
import { TOPICS } from "./topics.ts";

export function selfMethods(all: () => readonly Method[]): readonly Method[] {
  return [
    method({
      name: "capabilities", writes: false, action: null, summary: "What you may call here.", result: z.object({
        contract_version: z.int(), methods: z.array(z.string()), modules: z.array(z.string()), topics: z.array(z.string()),
        limits: z.record(z.string(), z.number()),
      }), params: none,
      run: ({ limits }, _, call) => ({
        contract_version: 1, methods: all().filter((one) => call.may(one)).map(({ name }) => `mob/${name}`).sort(), modules: [], topics: TOPICS, limits,
      }),
    }),
  ];
}
