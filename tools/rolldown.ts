/**
 * The door to rolldown: its parser reads TypeScript for `tidy` and `build`, its bundler makes the program.
 */
import { type CodeSplittingOptions, rolldown, type OutputChunk, type RolldownPlugin } from "rolldown";
import { parseSync } from "rolldown/utils";

export type { OutputChunk, RolldownPlugin };

/** A node of the syntax tree. The walkers look at few kinds of it, so its fields are read by name. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Comment { readonly value: string; readonly start: number; readonly end: number }

export interface Parsed {
  readonly program: Node;
  readonly comments: readonly Comment[];
  /** Offset and text of each syntax error. */
  readonly errors: readonly { readonly start: number; readonly message: string }[];
}

/** Parses TypeScript or JavaScript; the kind is taken from the file name. Offsets count UTF-16 units. */
export function parseSource(file: string, text: string): Parsed {
  const { program, comments, errors } = parseSync(file, text, {});
  return {
    program: program as unknown as Node, comments,
    errors: errors.map((error) => ({ start: error.labels?.[0]?.start ?? 0, message: error.message })),
  };
}

export interface BundleOrder {
  /** Output base name → absolute source file. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outDir: string;
  /** Modules that stay imports. */
  readonly external: (specifier: string) => boolean;
  readonly plugins?: readonly RolldownPlugin[];
  /** Modules that are laid into one chunk; default: the bundler alone decides. */
  readonly together?: ReadonlySet<string>;
}

/** Bundles into flat ES modules: entries keep their names, shared code goes to `chunk-*.js` beside them. */
export async function bundle(order: BundleOrder): Promise<readonly OutputChunk[]> {
  const build = await rolldown({
    ...order.together === undefined ? {} : { preserveEntrySignatures: "allow-extension" as const },
    input: { ...order.inputs }, external: order.external, platform: "node", plugins: [...order.plugins ?? []],
    logLevel: "warn", treeshake: true,
  });
  try {
    const { output } = await build.write({
      dir: order.outDir, format: "esm", entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js",
      sourcemap: false, minify: false, ...order.together === undefined ? {} : { codeSplitting: together(order.together) },
    });
    return output.filter((file): file is OutputChunk => file.type === "chunk");
  } finally {
    await build.close();
  }
}

function together(modules: ReadonlySet<string>): CodeSplittingOptions {
  const name = (id: string): string | null => (modules.has(id) ? "together" : null);
  return { groups: [{ name, debugName: "together" }], includeDependenciesRecursively: false };
}
