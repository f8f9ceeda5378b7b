/** `std.env` and `os.getenv`: the block's environment with what its script has set; seen by both isles and by children. */
import type { GrantGate } from "../grants/gate.ts";
import type { Ops } from "./op.ts";

export class ScriptEnv {
  readonly #env: Record<string, string>;
  readonly #gate: Pick<GrantGate, "env">;
  readonly #set = new Set<string>();

  constructor(env: Readonly<Record<string, string>>, gate: Pick<GrantGate, "env">) {
    this.#env = { ...env };
    this.#gate = gate;
  }

  /** All variables, for children. */
  all(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** A variable the script may see; its own it may always see. */
  get(name: string): string | undefined {
    const value = Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
    if (value === undefined) return undefined;
    return this.#set.has(name) || this.#gate.env(name) ? value : undefined;
  }

  set(name: string, value: string): void {
    this.#set.add(name);
    this.#env[name] = value;
  }
}

export function envOps(env: ScriptEnv): Ops {
  return {
    "std.env.get": ([key]) => env.get(String(key)),
    "std.env.get_or": ([key, fallback]) => env.get(String(key)) ?? fallback,
    "std.env.home": () => env.get("HOME") ?? env.get("USERPROFILE"),
    "std.env.set": ([key, value]) => {
      env.set(String(key), String(value));
      return undefined;
    },
  };
}
