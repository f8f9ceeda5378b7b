/** The parts of the one WebAssembly module that we rewrite, read into plain data. */
import { ByteReader } from "./bytes.ts";

export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

export interface Export {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

export interface ModuleParts {
  readonly header: Uint8Array;
  readonly sections: readonly Section[];
  /** Names of the imported functions, by function index. */
  readonly imports: readonly string[];
  readonly exports: readonly Export[];
  /** Function index by export name. */
  readonly exported: Readonly<Record<string, number>>;
  readonly typeCount: number;
  readonly definedCount: number;
  readonly globalCount: number;
  readonly tableMin: number;
  readonly code: Uint8Array;
  /** Start and end of each function body within `code`. */
  readonly bodies: readonly (readonly [from: number, to: number])[];
  /** Four bytes of the initial memory as a signed number. */
  dataInt32(address: number): number;
}

export function readModule(source: Uint8Array): ModuleParts {
  const sections = readSections(source);
  const body = (id: number): Uint8Array => {
    const found = sections.find((section) => section.id === id);
    if (found === undefined) throw new Error(`the Lua module has no section ${id}`);
    return found.body;
  };
  const exports = readExports(body(7));
  const code = body(10);
  const table = new ByteReader(body(4), 3);
  return {
    header: source.subarray(0, 8), sections, imports: readImports(body(2)), exports,
    exported: Object.fromEntries(exports.filter((e) => e.kind === 0).map((e) => [e.name, e.index])),
    typeCount: count(body(1)), definedCount: count(body(3)), globalCount: count(body(6)),
    tableMin: table.unsigned(),
    code, bodies: readBodies(code), dataInt32: dataReader(body(11)),
  };
}

function count(body: Uint8Array): number {
  return new ByteReader(body).unsigned();
}

function readSections(source: Uint8Array): Section[] {
  const sections: Section[] = [];
  const reader = new ByteReader(source, 8);
  while (reader.at < source.length) {
    const id = reader.byte();
    const length = reader.unsigned();
    sections.push({ id, body: source.subarray(reader.at, reader.at + length) });
    reader.at += length;
  }
  return sections;
}

function readImports(body: Uint8Array): string[] {
  const reader = new ByteReader(body);
  const names: string[] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    reader.name();
    names.push(reader.name());
    if (reader.byte() !== 0) throw new Error("the Lua module imports something that is not a function");
    reader.unsigned();
  }
  return names;
}

function readExports(body: Uint8Array): Export[] {
  const reader = new ByteReader(body);
  const exports: Export[] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    exports.push({ name: reader.name(), kind: reader.byte(), index: reader.unsigned() });
  }
  return exports;
}

function readBodies(code: Uint8Array): [number, number][] {
  const reader = new ByteReader(code);
  const bodies: [number, number][] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    const length = reader.unsigned();
    bodies.push([reader.at, reader.at + length]);
    reader.at += length;
  }
  return bodies;
}

function dataReader(body: Uint8Array): (address: number) => number {
  const reader = new ByteReader(body);
  const segments: { at: number; bytes: Uint8Array }[] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    if (reader.unsigned() !== 0 || reader.byte() !== 0x41) {
      throw new Error("the Lua module has an unknown kind of data segment");
    }
    const at = reader.unsigned();
    reader.byte();
    const length = reader.unsigned();
    segments.push({ at, bytes: reader.bytes.subarray(reader.at, reader.at + length) });
    reader.at += length;
  }
  const byteAt = (address: number): number => {
    const segment = segments.find(({ at, bytes }) => address >= at && address < at + bytes.length);
    return segment === undefined ? 0 : (segment.bytes[address - segment.at] as number);
  };
  return (address) => [0, 1, 2, 3].reduce((word, i) => word | (byteAt(address + i) << (8 * i)), 0);
}
