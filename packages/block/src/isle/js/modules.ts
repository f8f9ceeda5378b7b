/**
 * The modules of an isle: the bridges, the script, and files beside it, which the host reads.
 * takes names as scripts import them; gives full names and sources; promises that each is read once; refuses
 * by a source that is an error; never looks at a disk.
 */
import { isFault, toFaultData } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { MODULE_SOURCE, SCRIPT_MODULE } from "./guest/boot.ts";
import type { ModuleSource } from "./machine.ts";
import { isTypeScript, stripTypes } from "./types.ts";

export interface JsModuleParts {
  readonly scriptName: string;
  /** Asks the host while the script waits. */
  askNow(op: string, args: readonly Value[]): Value;
}

export class JsModules {
  readonly #parts: JsModuleParts;
  readonly #sources = new Map<string, ModuleSource>([[SCRIPT_MODULE, { source: MODULE_SOURCE }]]);
  /** Names that need no look at the disk. */
  readonly #known = new Set<string>([SCRIPT_MODULE]);

  constructor(parts: JsModuleParts) {
    this.#parts = parts;
  }

  /** The script itself is compiled under this name. */
  main(name: string): void {
    this.#known.add(name);
  }

  /** Full name of a module that the script names. */
  fromScript(specifier: string): string {
    return this.#ask(this.#parts.scriptName, specifier);
  }

  normalize(base: string, name: string): string {
    if (this.#known.has(name)) return name;
    return this.#ask(base, name);
  }

  load(name: string): ModuleSource {
    return this.#sources.get(name) ?? { error: { text: `cannot find module '${name}'`, code: "script.not_found" } };
  }

  #ask(base: string, name: string): string {
    try {
      const from = this.#sources.has(base) ? base : undefined;
      const found = this.#parts.askNow("module.script", [from, name]) as { path: string; source: Uint8Array };
      if (!this.#sources.has(found.path)) this.#sources.set(found.path, toSource(found.path, found.source));
      this.#known.add(found.path);
      return found.path;
    } catch (error) {
      if (!isFault(error)) throw error;
      const { text, code } = toFaultData(error);
      // under a name of its own, so that another try looks again
      const missing = `${name} (from ${base})`;
      this.#sources.set(missing, { error: { text, code } });
      return missing;
    }
  }
}

function toSource(path: string, bytes: Uint8Array): ModuleSource {
  const source = new TextDecoder().decode(bytes);
  if (!isTypeScript(path)) return { source };
  const stripped = stripTypes(source);
  if (stripped.ok) return { source: stripped.source };
  return { error: { text: `${path}:${stripped.line}: ${stripped.problem}`, code: "script.syntax" } };
}
