/** What the module's C library asks of its system: clocks, calendar (UTC) and no files at all. */

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
}

const NO_ENTRY = 44;
const NOT_SUPPORTED = 52;
const BAD_DESCRIPTOR = 8;
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];

export function libcImports(host: LibcHost): WebAssembly.Imports {
  const refuse = (errno: number) => () => -errno;
  const gmtime = (seconds: bigint, p: number): void => writeCalendar(host.memory, seconds, p);
  const ended = (): never => host.abort();
  return {
    env: {
      abort: ended, exit: ended, system: () => 0, invoke_vii: ended, _emscripten_throw_longjmp: ended,
      strftime: (p: number, max: number, format: number, tm: number) => strftime(host.memory, { p, max, format, tm }),
      emscripten_date_now: () => host.now(), _emscripten_get_now_is_monotonic: () => 1,
      __syscall_openat: refuse(NO_ENTRY), __syscall_fcntl64: refuse(NOT_SUPPORTED), __syscall_ioctl: refuse(NOT_SUPPORTED),
      __syscall_dup3: refuse(NOT_SUPPORTED), __syscall_unlinkat: refuse(NO_ENTRY), __syscall_rmdir: refuse(NO_ENTRY),
      __syscall_renameat: refuse(NO_ENTRY), __syscall_readlinkat: refuse(NO_ENTRY),
      _mktime_js: (tm: number) => mktime(host.memory, tm), _localtime_js: gmtime, _gmtime_js: gmtime, _tzset_js: () => undefined,
      emscripten_resize_heap: (need: number) => host.grow(need >>> 0),
    },
    wasi_snapshot_preview1: {
      fd_write: (fd: number, vectors: number, count: number, written: number) => writeVectors(host, { fd, vectors, count, written }),
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

function writeVectors(host: LibcHost, w: { fd: number; vectors: number; count: number; written: number }): number {
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

function writeCalendar(memory: Memory, seconds: bigint, p: number): void {
  const date = new Date(Number(seconds) * 1000);
  const year = date.getUTCFullYear();
  const yearDay = Math.floor((Date.UTC(year, date.getUTCMonth(), date.getUTCDate()) - Date.UTC(year, 0, 1)) / 86_400_000);
  const fields = [
    date.getUTCSeconds(), date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth(), year - 1900,
    date.getUTCDay(), yearDay, 0, 0,
  ];
  fields.forEach((value, i) => {
    memory.words[(p >> 2) + i] = value;
  });
}

function mktime(memory: Memory, tm: number): bigint {
  const field = (i: number): number => memory.words[(tm >> 2) + i] as number;
  const seconds = BigInt(Date.UTC(field(5) + 1900, field(4), field(3), field(2), field(1), field(0))) / 1000n;
  writeCalendar(memory, seconds, tm);
  return seconds;
}

function strftime(memory: Memory, a: { p: number; max: number; format: number; tm: number }): number {
  const field = (i: number): number => memory.words[(a.tm >> 2) + i] as number;
  let end = a.format;
  while (memory.bytes[end] !== 0) end++;
  const format = new TextDecoder().decode(memory.bytes.subarray(a.format, end));
  const bytes = new TextEncoder().encode(formatTime(format, field));
  if (bytes.length >= a.max) return 0;
  memory.bytes.set(bytes, a.p);
  memory.bytes[a.p + bytes.length] = 0;
  return bytes.length;
}

/** ISO 8601 week: its year and number. */
function isoWeek(field: (i: number) => number): { year: number; week: number } {
  const date = new Date(Date.UTC(field(5) + 1900, field(4), field(3)));
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * 86_400_000);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 / 7) + 1 };
}

/** The conversions of C99 strftime in the C locale; all times are UTC. */
function formatTime(format: string, field: (i: number) => number): string {
  const two = (n: number, width = 2, fill = "0"): string => String(n).padStart(width, fill);
  const again = (inner: string): string => formatTime(inner, field);
  const year = field(5) + 1900;
  const hour12 = ((field(2) + 11) % 12) + 1;
  const table: Record<string, () => string> = {
    a: () => (DAYS[field(6)] as string).slice(0, 3), A: () => DAYS[field(6)] as string,
    b: () => (MONTHS[field(4)] as string).slice(0, 3), h: () => (MONTHS[field(4)] as string).slice(0, 3), B: () => MONTHS[field(4)] as string,
    c: () => again("%a %b %e %H:%M:%S %Y"), C: () => two(Math.floor(year / 100)), d: () => two(field(3)), D: () => again("%m/%d/%y"),
    e: () => two(field(3), 2, " "), F: () => again("%Y-%m-%d"), g: () => two(isoWeek(field).year % 100), G: () => String(isoWeek(field).year),
    H: () => two(field(2)), I: () => two(hour12), j: () => two(field(7) + 1, 3), m: () => two(field(4) + 1), M: () => two(field(1)),
    n: () => "\n", p: () => (field(2) < 12 ? "AM" : "PM"), r: () => again("%I:%M:%S %p"), R: () => again("%H:%M"), S: () => two(field(0)),
    s: () => String(Date.UTC(year, field(4), field(3), field(2), field(1), field(0)) / 1000), t: () => "\t", T: () => again("%H:%M:%S"),
    u: () => String(field(6) || 7), U: () => two(Math.floor((field(7) + 7 - field(6)) / 7)), V: () => two(isoWeek(field).week),
    w: () => String(field(6)), W: () => two(Math.floor((field(7) + 7 - ((field(6) + 6) % 7)) / 7)), x: () => again("%m/%d/%y"),
    X: () => again("%H:%M:%S"), y: () => two(year % 100), Y: () => String(year), z: () => "+0000", Z: () => "UTC", "%": () => "%",
  };
  return format.replace(/%[EO]?(.)/gs, (_, key: string) => table[key]?.() ?? "");
}
