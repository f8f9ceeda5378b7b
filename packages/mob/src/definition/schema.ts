/** The tree of `mob.toml` as it is written (spec: mob 1, 3.1, 3.2, 8.9, 9.2): shapes and defaults, not what fits together. */
import { z } from "zod";
import { isMemberId } from "../ids.ts";
import { MOB_LIMITS } from "../limits.ts";
import { TAINTS } from "../sessions/taint.ts";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `"30s"` or milliseconds. */
export const duration = z.union([z.number(), z.string()]).transform((given, context) => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(String(given)) ?? [];
  const ms = typeof given === "number" ? given : Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  context.addIssue({ code: "custom", message: `${JSON.stringify(given)} is not a duration: write "30s", "5m" or milliseconds` });
  return z.NEVER;
});

const text = z.union([z.string(), z.strictObject({ file: z.string().min(1) })]);
const bytes = (most: number) => z.string().refine((given) => Buffer.byteLength(given) <= most, `at most ${most} bytes`);
export const labels = z.record(bytes(128).min(1), bytes(1_024))
  .refine((given) => Object.keys(given).length <= 64, "at most 64 labels");
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "a name is 1–64 letters, digits, - and _");
export const memberId = z.string().refine(isMemberId, {
  error: "a member id has 1–128 characters without white space, /, :: or a leading @",
});

const mode = z.enum(["turn_driven", "autonomous"]);
const amount = z.number().nonnegative();
const whole = z.int().nonnegative();
const limitsOf = { tokens: whole.optional(), cost_usd: amount.optional(), tool_calls: whole.optional(), wall_ms: duration.optional() };
const counted = z.strictObject({ ...limitsOf, turns: whole.optional() });
export const budget = z.strictObject({ turn: z.strictObject(limitsOf).optional(), day: counted.optional(), life: counted.optional() });
const price = z.strictObject({ input: amount, output: amount, cache_read: amount.optional(), cache_write: amount.optional() });
const modelParams = z.strictObject({
  max_tokens: z.int().positive().optional(), temperature: amount.optional(), top_p: amount.optional(), max_iterations: z.int().positive().optional(),
});

const person = {
  labels: labels.optional(), context: z.json().optional(), instructions: z.array(text).optional(), model: z.string().min(1).optional(),
  system: text.optional(), grants: z.array(z.string()).optional(), external: z.boolean().optional(), mode: mode.optional(),
  budget: budget.optional(), display_name: z.string().max(256).optional(), initial_message: z.string().min(1).optional(),
};

/** What spawns a member (spec: mob 3.2). */
export const memberSpec = z.strictObject({
  id: memberId, profile: name, ...person,
  resume: z.union([z.enum(["last", "fresh"]), z.strictObject({ session_id: z.string() })]).optional(),
});

const bootMode = z.enum(["lazy", "eager", "lazy_warm"]);

const profile = z.strictObject({
  script: z.string().min(1).optional(), linked: z.string().min(1).optional(), agent: z.literal(true).optional(),
  model: z.string().min(1).nullable().default(null), provider: z.string().min(1).nullable().default(null),
  system: text.nullable().default(null), instructions: z.array(text).default([]), grants: z.array(z.string()).default([]),
  skills: z.array(text).default([]), model_params: modelParams.nullable().default(null), budget: budget.nullable().default(null),
  mode: mode.default("turn_driven"), external: z.boolean().default(false), restart: z.enum(["on_failure", "always", "never"]).default("on_failure"),
  idle_after: duration.optional(), conversations: z.int().min(1).max(64).default(1),
  output_schema: z.json().default(null), labels: labels.default({}), initial_message: z.string().nullable().default(null),
  peer_description: z.string().max(1_024).nullable().default(null),
  visible: z.boolean().default(false).refine((visible) => !visible, "is for a later version: members are reached through the node of the mob"),
});

const approval = z.strictObject({
  id: name.optional(),
  match: z.strictObject({
    tool: z.string(), grant: z.string(), object: z.string(), member: z.string(), profile: z.string(),
    args: z.record(z.string(), z.string()), labels: z.record(z.string(), z.string()), taint: z.enum(TAINTS), origin: z.string(),
  }).partial().refine((match) => Object.keys(match).length > 0, "a rule that matches nothing named matches everything: name something"),
  tier: z.enum(["R0", "R1", "R2", "R3", "deny"]), approvers: z.array(z.string()).default([]), quorum: z.int().min(1).max(16).default(1),
  timeout: duration.optional(), on_timeout: z.enum(["draft", "deny"]).default("draft"),
  self_approval: z.boolean().nullable().default(null),
});

const globs = z.array(z.string().min(1).max(256)).min(1).max(256);
const access = z.strictObject({
  admins: z.array(z.string().min(1).max(256)).min(1, "access without an admin shuts everybody out: name one").max(256),
  rules: z.array(z.strictObject({
    effect: z.enum(["allow", "deny"]), principals: globs.optional(), groups: globs.optional(), actions: globs,
    members: globs.optional(), profiles: globs.optional(), labels: labels.optional(),
  }).refine(({ principals, groups }) => principals !== undefined || groups !== undefined, "a rule names principals or groups")).max(1_024).default([]),
});

const step = z.strictObject({
  role: name.optional(), member: memberId.optional(), message: z.string().nullable().default(null),
  depends_on: z.array(name).default([]), depends_on_mode: z.enum(["all", "any"]).default("all"),
  dispatch: z.enum(["fan_out", "fan_in", "one_to_one", "share"]).optional(),
  items: z.string().min(1).nullable().default(null), key: z.string().min(1).nullable().default(null),
  collect: z.union([z.enum(["all", "any"]), z.strictObject({ quorum: z.int().min(1) })]).default("all"),
  timeout: duration.optional(), retries: z.int().min(0).max(100).default(1),
  expect: z.json().default(null), output: z.enum(["json", "text"]).default("json"), allow_tools: globs.nullable().default(null), block_tools: z.array(z.string().min(1).max(256)).max(256).default([]),
  on_failure: z.enum(["escalate", "continue"]).default("escalate"), let_finish: z.boolean().default(false),
});

const topology = z.strictObject({
  mode: z.enum(["strict", "advisory"]).default("advisory"),
  rules: z.array(z.strictObject({ from: z.union([name, z.literal("*")]), to: z.union([name, z.literal("*")]), allowed: z.boolean() })).max(1_024).default([]),
});
const supervisor = z.strictObject({ role: name, threshold: z.int().min(1).max(1_000).default(1) });

export const tree = z.strictObject({
  mob: z.strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "the id of a mob is 1–64 of a–z, 0–9, . _ -"),
    bootstrap: z.union([bootMode.transform((mode) => ({ mode, concurrency: undefined })), z.strictObject({
      mode: bootMode, concurrency: z.int().min(1).max(MOB_LIMITS.warmAtOnceMax).optional(),
    })]).default({ mode: "lazy" }),
    members: z.array(z.strictObject({
      id: memberId, profile: name, count: z.int().min(1).max(MOB_LIMITS.members).optional(), resume: z.enum(["last", "fresh"]).optional(), ...person,
    })).default([]),
    edges: z.array(z.tuple([z.string().trim().min(1), z.string().trim().min(1)], "an edge is a pair: [\"scout\", \"@auditor\"]")).default([]),
  }),
  profiles: z.record(name, profile).default({}),
  approvals: z.array(approval).default([]),
  flows: z.record(name, z.strictObject({ steps: z.record(name, step) })).default({}),
  topology: topology.nullable().default(null), supervisor: supervisor.nullable().default(null),
  access: access.nullable().default(null),
  limits: z.record(z.string(), z.number()).default({}),
  prices: z.record(z.string().min(1), price).default({}),
});

export type Tree = z.output<typeof tree>;
export type TreeInput = z.input<typeof tree>;
