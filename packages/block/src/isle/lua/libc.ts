/** What the module's C library asks of its system: clocks, calendar (UTC) and no files at all. */

import { type Fields, formatTime, toFields, toSeconds } from "./calendar.ts";

export interface Memory {
  bytes: Uint8Array;
  words: Int32Array;
}

export interface LibcHost {
  readonly memory: Memory;
  /** Milliseconds since 1970 and monotonic milliseconds. */
  now(): number;
  /** Asked to grow to `need` bytes; 0 refuses. */
  grow(need: number): number;
  /** Bytes that C wrote to a descriptor (1 output, 2 warnings). */
  write(descriptor: number, bytes: Uint8Array): void;
  abort(): never;
  /** A time is to be put into words: one call of `os.date` may ask for very many. False: the script is to end. */
  formats(): boolean;
}

const NO_ENTRY = 44;
const NOT_SUPPORTED = 52;
const BAD_DESCRIPTOR = 8;

export function libcImports(host: LibcHost): WebAssembly.Imports {
  const refuse = (errno: number) => () => -errno;
  const gmtime = (seconds: bigint, p: number): void => writeFields(host.memory, seconds, p);
  const ended = (): never => host.abort();
  return {
    env: {
      abort: ended, exit: ended, system: () => 0, invoke_vii: ended, _emscripten_throw_longjmp: ended,
      strftime: (p: number, max: number, format: number, tm: number) =>
        host.formats() ? strftime(host.memory, { p, max, format, tm }) : 0,
      emscripten_date_now: () => host.now(), _emscripten_get_now_is_monotonic: () => 1,
      __syscall_openat: refuse(NO_ENTRY), __syscall_fcntl64: refuse(NOT_SUPPORTED),
      __syscall_ioctl: refuse(NOT_SUPPORTED),
      __syscall_dup3: refuse(NOT_SUPPORTED), __syscall_unlinkat: refuse(NO_ENTRY),
      __syscall_rmdir: refuse(NO_ENTRY),
      __syscall_renameat: refuse(NO_ENTRY), __syscall_readlinkat: refuse(NO_ENTRY),
      _mktime_js: (tm: number) => mktime(host.memory, tm), _localtime_js: gmtime, _gmtime_js: gmtime,
      _tzset_js: () => undefined,
      emscripten_resize_heap: (need: number) => host.grow(need >>> 0),
    },
    wasi_snapshot_preview1: {
      fd_write: (fd: number, vectors: number, count: number, written: number) =>
        writeVectors(host, { fd, vectors, count, written }),
      fd_read: () => BAD_DESCRIPTOR, fd_close: () => BAD_DESCRIPTOR, fd_seek: () => BAD_DESCRIPTOR,
      environ_sizes_get: (count: number, size: number) => {
        host.memory.words[count >> 2] = 0;
        host.memory.words[size >> 2] = 0;
        return 0;
      },
      environ_get: () => 0,
    },
  };
}

function writeVectors(
  host: LibcHost, w: { fd: number; vectors: number; count: number; written: number },
): number {
  let total = 0;
  for (let i = 0; i < w.count; i++) {
    const p = host.memory.words[(w.vectors >> 2) + i * 2] as number;
    const size = host.memory.words[(w.vectors >> 2) + i * 2 + 1] as number;
    if (size > 0) host.write(w.fd, host.memory.bytes.slice(p, p + size));
    total += size;
  }
  host.memory.words[w.written >> 2] = total;
  return 0;
}

function writeFields(memory: Memory, seconds: bigint, p: number): void {
  [...toFields(seconds), 0, 0].forEach((value, i) => {
    memory.words[(p >> 2) + i] = value;
  });
}

function readFields(memory: Memory, p: number): Fields {
  return Array.from({ length: 8 }, (_, i) => memory.words[(p >> 2) + i] as number) as unknown as Fields;
}

/** −1 when there is no such time; Lua has an error for it. */
function mktime(memory: Memory, tm: number): bigint {
  const seconds = toSeconds(readFields(memory, tm));
  if (seconds === undefined) return -1n;
  writeFields(memory, seconds, tm);
  return seconds;
}

function strftime(memory: Memory, a: { p: number; max: number; format: number; tm: number }): number {
  const format = new TextDecoder().decode(memory.bytes.subarray(a.format, memory.bytes.indexOf(0, a.format)));
  const bytes = new TextEncoder().encode(formatTime(format, readFields(memory, a.tm)));
  if (bytes.length >= a.max) return 0;
  memory.bytes.set(bytes, a.p);
  memory.bytes[a.p + bytes.length] = 0;
  return bytes.length;
}
