/**
 * What standard blocks ask of the host beside their bridges. Settings of the program are no secrets: reading them needs
 * no grant, and no script can name these ops.
 */
import type { Ops } from "../bridges/op.ts";

export interface StdlibParts {
  /** A variable of the block's environment, as it is now. */
  readonly variable: (name: string) => string | undefined;
  /** Are model calls logged, and with them the steps of compile_loop? */
  readonly dumps: () => boolean;
}

/** `compile_loop.settings()` → `{temperature?, dumps}`. */
export function stdlibOps({ variable, dumps }: StdlibParts): Ops {
  return {
    "compile_loop.settings": () => {
      const temperature = Number.parseFloat(variable("COMPILE_LOOP_LLM_TEMPERATURE") ?? "");
      return { ...(Number.isFinite(temperature) ? { temperature } : {}), dumps: dumps() };
    },
  };
}
