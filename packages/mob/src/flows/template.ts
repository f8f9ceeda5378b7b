/** `{{ params.x }}` and its like in messages of a flow (spec: mob 9.3). */
import type { Json } from "@atoll-run/core";

export interface Scope {
  readonly params: Json;
  /** Output of each step of the flow; undefined: not produced yet. */
  readonly steps: Readonly<Record<string, { readonly output: Json | undefined }>>;
  /** Of a share. */
  readonly item?: Json;
}

export type Rendered = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly problem: string };

const HOLE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** A message that is one hole becomes the value itself; else values stand in the text, those that are not text as JSON. */
export function render(template: string, scope: Scope): Rendered {
  const whole = /^\s*\{\{\s*([^{}]*?)\s*\}\}\s*$/.exec(template);
  if (whole !== null) return lookUp(whole[1] as string, scope);
  let problem: string | undefined;
  const text = template.replace(HOLE, (_, path: string) => {
    const found = lookUp(path, scope);
    if (!found.ok) {
      problem ??= found.problem;
      return "";
    }
    return typeof found.value === "string" ? found.value : JSON.stringify(found.value);
  });
  return problem === undefined ? { ok: true, value: text } : { ok: false, problem };
}

/** `steps.scan.output.batches`, also `batches[0]`. A step that has produced nothing yet is null. */
export function lookUp(path: string, { params, steps, item }: Scope): Rendered {
  const parts = path.replaceAll(/\[(\d+)\]/g, ".$1").split(".");
  const [root, ...rest] = parts;
  if (root === "params") return walk(params, rest, path);
  if (root === "item" && item !== undefined) return walk(item, rest, path);
  if (root !== "steps") return { ok: false, problem: `{{ ${path} }}: there is no ${JSON.stringify(root)}; write params, steps or item` };
  const [name = "", output, ...fields] = rest;
  if (!Object.hasOwn(steps, name)) return { ok: false, problem: `{{ ${path} }}: there is no step ${JSON.stringify(name)}` };
  if (output !== "output") return { ok: false, problem: `{{ ${path} }}: a step has an output: write steps.${name}.output` };
  const value = steps[name]?.output;
  return value === undefined ? { ok: true, value: null } : walk(value, fields, path);
}

function walk(from: Json, fields: readonly string[], path: string): Rendered {
  let value: Json = from;
  for (const field of fields) {
    const holder: Json = value;
    if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, field)) {
      return { ok: false, problem: `{{ ${path} }}: there is no field ${JSON.stringify(field)}` };
    }
    value = (holder as { readonly [key: string]: Json })[field] as Json;
  }
  return { ok: true, value };
}
