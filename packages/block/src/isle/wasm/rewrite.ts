/**
 * Rewrites the stock Lua 5.4 module in memory, so that a host can meter, kill and suspend it:
 * - ticks at loop heads and at the interpreter's jumps and calls, with an import that polls the host;
 * - `setjmp`/`longjmp` of Lua errors as WebAssembly exceptions, so no JavaScript frame is under `pcall`;
 * - a dispatcher for host functions with a continuation, a hook, a dump writer (see shims.ts);
 * - a small first memory. Nothing is written to disk here and no binary is shipped.
 * Knows only what this one module uses: MVP, sign extension, bulk memory, one table, one memory.
 */
import { ByteReader, ByteWriter, I32, name, signed, unsigned } from "./bytes.ts";
import { isKept } from "./kept-exports.ts";
import { ADDED_IMPORTS, createLayout, type Layout, signatureBytes, SLOTS, type Slots } from "./layout.ts";
import { type ModuleParts, readModule } from "./module.ts";
import { shims, type Shim } from "./shims.ts";
import { BodyCopier, findInterpreter } from "./ticks.ts";

/** 1 MiB of shadow stack plus the module's data need 16.5 pages of 64 KiB. */
const FIRST_PAGES = 17;
const MOST_PAGES = 32_768;
const BUDGET_AT_START = 0x7fff_ffff;

export interface Rewritten {
  readonly bytes: Uint8Array;
  readonly slots: Slots;
  readonly ticks: number;
}

export function rewrite(source: Uint8Array): Rewritten {
  const parts = readModule(source);
  const layout = createLayout(parts);
  const added = shims(parts, layout);
  const { code, ticks } = rewriteCode(parts, layout, added);
  const out = new ByteWriter();
  out.put(parts.header);
  for (const section of parts.sections) {
    for (const [id, body] of rewriteSection(section.id, section.body, { parts, layout, added, code })) {
      out.put([id, ...unsigned(body.length)]);
      out.put(body);
    }
  }
  return { bytes: out.done().slice(), slots: layout.slots, ticks };
}

function rewriteCode(
  parts: ModuleParts, layout: Layout, added: readonly Shim[],
): { code: Uint8Array; ticks: number } {
  const interpreter = findInterpreter(parts);
  const copier = new BodyCopier(parts, layout);
  // Lua's own leaf functions (hash chains) are short and get no ticks; leaves of libc (strcmp, memchr) do
  const firstOfLibc = (parts.exported["__errno_location"] as number) - parts.imports.length;
  const out = new ByteWriter();
  let ticks = 0;
  out.put(unsigned(parts.definedCount + added.length));
  parts.bodies.forEach(([from, to], i) => {
    let body = copier.copy(from, to, i === interpreter ? "opcodes" : "none");
    if (i !== interpreter && (body.calls || i >= firstOfLibc)) body = copier.copy(from, to, "loops");
    ticks += body.ticks;
    out.put(unsigned(body.bytes.length));
    out.put(body.bytes);
  });
  for (const shim of added) out.put(shim.body);
  return { code: out.done(), ticks };
}

interface Rewriting {
  readonly parts: ModuleParts;
  readonly layout: Layout;
  readonly added: readonly Shim[];
  readonly code: Uint8Array;
}

function rewriteSection(id: number, body: Uint8Array, r: Rewriting): [number, ArrayLike<number>][] {
  const { parts, layout, added } = r;
  switch (id) {
    case 0: return [];
    case 1: return [[id, [...unsigned(parts.typeCount + signatureBytes().length), ...withoutCount(body),
      ...signatureBytes().flat()]]];
    case 2: return [[id, [...unsigned(parts.imports.length + ADDED_IMPORTS.length), ...withoutCount(body),
      ...importBytes(layout)]]];
    case 3: return [[id, [...unsigned(parts.definedCount + added.length), ...withoutCount(body),
      ...added.flatMap((s) => unsigned(s.type))]]];
    case 4: return [[id, [1, 0x70, 0, ...unsigned(parts.tableMin + SLOTS.length)]]];
    // the tag section comes right after the memory section
    case 5: return [[id, [1, 1, ...unsigned(FIRST_PAGES), ...unsigned(MOST_PAGES)]],
      [13, [1, 0, ...unsigned(layout.type.none)]]];
    case 6: return [[id, [...unsigned(parts.globalCount + 2), ...withoutCount(body),
      ...mutableInt(BUDGET_AT_START), ...mutableInt(0)]]];
    case 7: return [[id, exportBytes(parts, layout)]];
    case 9: return [[id, elementBytes(body, parts, layout)]];
    case 10: return [[id, r.code]];
    default: return [[id, body]];
  }
}

function withoutCount(body: Uint8Array): Uint8Array {
  const reader = new ByteReader(body);
  reader.unsigned();
  return body.subarray(reader.at);
}

function mutableInt(value: number): number[] {
  return [I32, 1, 0x41, ...signed(value), 0x0b];
}

function importBytes(layout: Layout): number[] {
  const { toInt, int2ToInt, int, int3ToInt, intToInt } = layout.type;
  const types = [toInt, int2ToInt, int, int3ToInt, toInt, intToInt];
  return ADDED_IMPORTS.flatMap((key, i) => [...name("isle"), ...name(key), 0,
    ...unsigned(types[i] as number)]);
}

function exportBytes(parts: ModuleParts, layout: Layout): number[] {
  const extra = [
    [...name("budget"), 3, ...unsigned(layout.budget)], [...name("running"), 3, ...unsigned(layout.running)],
    [...name("stack_pointer"), 3, ...unsigned(layout.stackPointer)],
    [...name("push_integer"), 0, ...unsigned(layout.added.pushInteger)],
  ];
  const kept = parts.exports.filter((e) => isKept(e.name));
  const own = kept.flatMap((e) => [...name(e.name), e.kind,
    ...unsigned(e.kind === 0 ? layout.moved(e.index) : e.index)]);
  return [...unsigned(kept.length + extra.length), ...own, ...extra.flat()];
}

/** Active segments of function indices (flag 0) only; ours follows the module's own. */
function elementBytes(body: Uint8Array, parts: ModuleParts, layout: Layout): number[] {
  const reader = new ByteReader(body);
  const segments = reader.unsigned();
  const out = [...unsigned(segments + 1)];
  for (let i = 0; i < segments; i++) {
    if (reader.unsigned() !== 0 || reader.byte() !== 0x41) {
      throw new Error("the Lua module has an unknown kind of element segment");
    }
    const offset = reader.unsigned();
    reader.byte();
    out.push(0, 0x41, ...signed(offset), 0x0b);
    const functions = reader.unsigned();
    out.push(...unsigned(functions));
    for (let k = 0; k < functions; k++) out.push(...unsigned(layout.moved(reader.unsigned())));
  }
  out.push(0, 0x41, ...signed(parts.tableMin), 0x0b, SLOTS.length,
    ...SLOTS.flatMap((slot) => unsigned(layout.added[slot])));
  return out;
}
