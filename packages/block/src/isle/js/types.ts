/** Types of TypeScript taken away, so that QuickJS can run what is left. Positions stay. */
import { stripTypeScriptTypes } from "node:module";

export type Stripped =
  | { readonly ok: true; readonly source: string }
  | { readonly ok: false; readonly problem: string; readonly line: number };

export function isTypeScript(name: string): boolean {
  return /\.m?ts$/.test(name);
}

let quiet = false;

export function stripTypes(source: string): Stripped {
  // this thread is ours: nobody misses Node's word that the function below is new
  if (!quiet) process.removeAllListeners("warning");
  quiet = true;
  try {
    return { ok: true, source: stripTypeScriptTypes(source) };
  } catch (error) {
    const { message, stack = "" } = error as Error;
    return { ok: false, problem: message, line: Number(/^:(\d+)/.exec(stack)?.[1] ?? 1) };
  }
}
