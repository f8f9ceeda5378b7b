/** Methods that speak of the table itself and of who asks. */
import { method, type Method } from "./method.ts";
import { none } from "./schemas.ts";
import { TOPICS } from "./topics.ts";

export function selfMethods(all: () => readonly Method[]): readonly Method[] {
  return [
    method({
      name: "capabilities", writes: false, action: null, summary: "What you may call here.", params: none,
      run: ({ limits }, _, call) => ({
        contract_version: 1, methods: all().filter((one) => call.may(one)).map(({ name }) => `mob/${name}`).sort(), modules: [], topics: TOPICS, limits,
      }),
    }),
    method({
      name: "access/whoami", writes: false, action: null, summary: "Who you are here.", params: none,
      run: (_, __, { principal, role, local }) => ({ principal, role, local }),
    }),
  ];
}
