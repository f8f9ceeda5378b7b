/** Methods of who asks, what he may call, and who may what (spec: mob 11.1, 11.5, 11.10). */
import { z } from "zod";
import type { AccessRules } from "../definition/definition.ts";
import { ROLES, type Role } from "./access.ts";
import { mayHear, TOPICS } from "./hearing.ts";
import { method, type Method } from "./method.ts";
import { id, member, none } from "./schemas.ts";

const texts = z.array(z.string());
const labels = z.record(z.string(), z.string());
const rules = z.object({
  admins: texts, rules: z.array(z.object({
    effect: z.enum(["allow", "deny"]), principals: texts, groups: texts, actions: texts, members: texts.nullable(), profiles: texts.nullable(), labels: labels.nullable(),
  })),
}).meta({ id: "AccessRules" }) satisfies z.ZodType<AccessRules>;
const roles = z.enum(Object.keys(ROLES) as [Role, ...Role[]]);

/** `all`: the table, once it is whole. */
export const accessMethods = (all: () => readonly Method[]): readonly Method[] => [
  method({
    name: "capabilities", writes: false, action: null, summary: "What you may call and hear here.", result: z.object({
      contract_version: z.int(), methods: z.array(z.string()), modules: z.array(z.string()), topics: z.array(z.string()),
      limits: z.record(z.string(), z.number()),
    }), params: none,
    run: ({ limits }, _, call) => ({
      contract_version: 1, methods: all().filter((one) => call.may(one)).map(({ name }) => `mob/${name}`).sort(), modules: [],
      topics: TOPICS.filter((topic) => mayHear(topic, (action) => ({ any: call.may({ action, writes: false }), mob: call.allows(action) }))), limits,
    }),
  }),
  method({
    name: "access/whoami", writes: false, action: null, summary: "Who you are here.", params: none,
    result: z.object({ principal: z.string(), role: roles, groups: texts, local: z.boolean(), read_only: z.boolean() }),
    run: (_, __, { principal, role, groups, local, read_only }) => ({ principal, role, groups, local, read_only }),
  }),
  method({
    name: "access/get", writes: false, action: "access.admin", summary: "The rules, and what roles may.", params: none,
    result: z.object({ rules: rules.nullable(), roles: z.record(z.string(), texts) }), rest: { verb: "GET", path: "/access" },
    run: ({ definition }) => ({ rules: definition().access, roles: ROLES }),
  }),
  method({
    name: "access/preview", writes: false, action: "access.admin", summary: "Whether somebody might do something, on a member or on the mob as a whole.",
    params: z.strictObject({ principal: id, groups: z.array(id).max(256).optional(), role: roles.optional(), action: id, member: member.optional() }),
    result: z.object({ allowed: z.boolean() }),
    run: ({ rights }, { principal, groups = [], role = "none", action, member: of }) => {
      const right = rights.of({ id: principal, role, groups, local: false, read_only: false }, action);
      return { allowed: of === undefined ? right.mob : right.on(of) };
    },
  }),
];
