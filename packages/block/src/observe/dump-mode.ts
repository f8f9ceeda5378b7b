/** How much of model calls is logged: `_LLM_DUMP` and the settings around it (spec: block 3, 9). */

export type DumpMode = "off" | "meta" | "full";

type Env = Readonly<Record<string, string | undefined>>;

/** `warning` tells that `full` was lowered. */
export function readDumpMode(env: Env): { readonly mode: DumpMode; readonly warning?: string } {
  const given = setting(env, "LLM_DUMP") ?? (isOn(setting(env, "DEBUG_RAW")) ? "full" : undefined);
  if (given === undefined) return { mode: logsDebug(env) ? "meta" : "off" };
  if (given === "meta") return { mode: "meta" };
  if (given !== "full") return { mode: "off" };
  const stage = setting(env, "ENV");
  if (stage !== "prod" && stage !== "production") return { mode: "full" };
  if (isOn(setting(env, "LLM_DUMP_ALLOW_PROD"))) return { mode: "full" };
  return { mode: "meta", warning: `the full dump of model calls is lowered to meta: ENV is ${stage}; LLM_DUMP_ALLOW_PROD=1 allows it` };
}

function setting(env: Env, name: string): string | undefined {
  const text = env[`ATOLL_${name}`] ?? env[`AGENT_BLOCK_${name}`];
  return text === "" ? undefined : text;
}

/** Does the log filter let any target's debug lines through? */
function logsDebug(env: Env): boolean {
  return /(?:^|[,=\s])(?:debug|trace)(?:$|[,\s])/i.test(setting(env, "LOG") ?? env["RUST_LOG"] ?? "");
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && ["1", "true", "yes", "on"].includes(text.trim().toLowerCase());
}
