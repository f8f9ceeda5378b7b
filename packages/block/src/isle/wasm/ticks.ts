/**
 * Metering: copies a function body, moves its calls and puts a tick where a loop closes or a call begins. A
 * tick takes one from the budget and polls the host when nothing is left.
 */
import { ByteReader, ByteWriter, unsigned } from "./bytes.ts";
import type { Layout } from "./layout.ts";
import type { ModuleParts } from "./module.ts";

/**
 * Lua 5.4 opcodes that can close a loop or call: JMP, the conditional jumps, CALL, TAILCALL, FORLOOP,
 * TFORCALL.
 */
const LOOP_OPCODES = [56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 73, 76];
/** Lua 5.4 has 83 opcodes: the interpreter is the one big function that switches over that many. */
const LAST_OPCODE = 82;
const INTERPRETER_BYTES_MIN = 8000;

export type Ticks = "none" | "loops" | "opcodes";

export function findInterpreter(parts: ModuleParts): number {
  const { code } = parts;
  const found = parts.bodies.flatMap(([from, to], i) => {
    if (to - from < INTERPRETER_BYTES_MIN) return [];
    for (let at = from; at < to - 1; at++) if (code[at] === 0x0e && code[at + 1] === LAST_OPCODE) return [i];
    return [];
  });
  if (found.length !== 1) {
    throw new Error(`the interpreter loop was not found exactly once: ${found.join(", ")}`);
  }
  return found[0] as number;
}

function tick(layout: Layout): Uint8Array {
  const budget = unsigned(layout.budget);
  return Uint8Array.from([
    0x23, ...budget, 0x41, 1, 0x6b, 0x24, ...budget, 0x23, ...budget, 0x41, 0, 0x48, 0x04, 0x40, 0x10,
    ...unsigned(layout.added.poll), 0x0b,
  ]);
}

export interface CopiedBody {
  readonly bytes: Uint8Array;
  readonly calls: boolean;
  readonly ticks: number;
}

/** One pass over one body. */
export class BodyCopier {
  readonly #parts: ModuleParts;
  readonly #layout: Layout;
  readonly #tick: Uint8Array;
  #out = new ByteWriter();
  #copied = 0;
  #calls = false;
  #ticks = 0;
  /** For each open block: does a tick come right after its end? */
  #tickAfterEnd: boolean[] = [];
  #constants: [before: number, last: number] = [0, 0];
  #switchSeen = false;

  constructor(parts: ModuleParts, layout: Layout) {
    this.#parts = parts;
    this.#layout = layout;
    this.#tick = tick(layout);
  }

  copy(from: number, to: number, mode: Ticks): CopiedBody {
    this.#out = new ByteWriter();
    this.#copied = from;
    this.#calls = false;
    this.#ticks = 0;
    this.#tickAfterEnd = [];
    this.#constants = [0, 0];
    this.#switchSeen = false;
    const reader = new ByteReader(this.#parts.code, from);
    for (let groups = reader.unsigned(); groups > 0; groups--) {
      reader.skipLeb();
      reader.at++;
    }
    while (reader.at < to) this.#instruction(reader, mode);
    this.#flush(to);
    return { bytes: this.#out.done(), calls: this.#calls, ticks: this.#ticks };
  }

  #flush(upTo: number): void {
    this.#out.put(this.#parts.code.subarray(this.#copied, upTo));
    this.#copied = upTo;
  }

  #putTick(at: number): void {
    this.#flush(at);
    this.#out.put(this.#tick);
    this.#ticks++;
  }

  #instruction(reader: ByteReader, mode: Ticks): void {
    const at = reader.at;
    const op = reader.byte();
    if (op >= 0x20 && op <= 0x26) reader.skipLeb();
    else if (op >= 0x28 && op <= 0x3e) {
      reader.skipLeb();
      reader.skipLeb();
    } else if (op === 0x02 || op === 0x03 || op === 0x04) {
      reader.skipLeb();
      this.#tickAfterEnd.push(false);
      // before its switch the interpreter has only the loop over instructions; after it, those that copy values
      if (op === 0x03 && (mode === "loops" || this.#switchSeen)) this.#putTick(reader.at);
    } else if (op === 0x0b) {
      if (this.#tickAfterEnd.pop() === true) this.#putTick(reader.at);
    } else if (op === 0x0c || op === 0x0d) reader.skipLeb();
    else if (op === 0x0e) this.#branchTable(reader, mode);
    else if (op === 0x10 || op === 0xd2) this.#functionIndex(reader, at, op);
    else if (op === 0x41) this.#constants = [this.#constants[1], reader.unsigned()];
    else this.#rare(reader, op, at);
  }

  #functionIndex(reader: ByteReader, at: number, op: number): void {
    if (op === 0x10) this.#calls = true;
    const index = reader.unsigned();
    this.#flush(at);
    this.#out.put([op, ...unsigned(this.#layout.moved(index))]);
    this.#copied = reader.at;
  }

  #rare(reader: ByteReader, op: number, at: number): void {
    if (op === 0x11) {
      this.#calls = true;
      reader.unsigned();
      reader.unsigned();
    } else if (op === 0x3f || op === 0x40) reader.at++;
    else if (op === 0x42) reader.skipLeb();
    else if (op === 0x43) reader.at += 4;
    else if (op === 0x44) reader.at += 8;
    else if (op === 0xfc) skipBulk(reader);
    else if (op === 0x1c) for (let left = reader.unsigned(); left > 0; left--) reader.at++;
    else if (!(op <= 0x01 || op === 0x05 || op === 0x0f || op === 0x1a || op === 0x1b
      || (op >= 0x45 && op <= 0xc4))) {
      throw new Error(`the Lua module has an unknown instruction 0x${op.toString(16)} at ${at}`);
    }
  }

  /**
   * The interpreter's switch is `br_table` over `disptab[opcode] − first`, with disptab in a data segment (so
   * its order is not the order of opcodes). A case begins right after the end of the block that its label
   * names.
   */
  #branchTable(reader: ByteReader, mode: Ticks): void {
    const last = reader.unsigned();
    const targets: number[] = [];
    for (let i = 0; i <= last; i++) targets.push(reader.unsigned());
    if (mode !== "opcodes" || this.#switchSeen || last !== LAST_OPCODE) return;
    this.#switchSeen = true;
    const [table, first] = this.#constants;
    for (const opcode of LOOP_OPCODES) {
      const entry = (this.#parts.dataInt32(table + 4 * opcode) - first) >>> 0;
      const depth = targets[Math.min(entry, last)] as number;
      this.#tickAfterEnd[this.#tickAfterEnd.length - 1 - depth] = true;
    }
  }
}

function skipBulk(reader: ByteReader): void {
  const sub = reader.unsigned();
  if (sub === 8) {
    reader.unsigned();
    reader.at++;
  } else if (sub === 10) reader.at += 2;
  else if (sub === 11) reader.at++;
  else if (sub > 7) throw new Error(`the Lua module has an unknown bulk instruction ${sub}`);
}
