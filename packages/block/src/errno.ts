/** Errors of the operating system in the words that C and Lua use. */

export interface SystemFacts {
  /** `ENOENT`; empty when unknown. */
  readonly name: string;
  /** Positive number, as Lua gives it as third value; 0 when unknown. */
  readonly errno: number;
  /** `No such file or directory`. */
  readonly strerror: string;
}

/** Where the C library says it otherwise than the event loop's library. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory", EACCES: "Permission denied", EPERM: "Operation not permitted",
  EISDIR: "Is a directory", ENOTDIR: "Not a directory", EEXIST: "File exists",
  ENOTEMPTY: "Directory not empty", ENOSPC: "No space left on device",
  EMFILE: "Too many open files", ENFILE: "Too many open files in system",
  EINVAL: "Invalid argument", EBADF: "Bad file descriptor", ELOOP: "Too many levels of symbolic links",
  ENAMETOOLONG: "File name too long", EXDEV: "Invalid cross-device link", EROFS: "Read-only file system",
  ESPIPE: "Illegal seek", EPIPE: "Broken pipe", ENXIO: "No such device or address",
  EBUSY: "Device or resource busy", ETXTBSY: "Text file busy", EFBIG: "File too large",
  EIO: "Input/output error", E2BIG: "Argument list too long", ENOEXEC: "Exec format error",
  EAGAIN: "Resource temporarily unavailable", ENOMEM: "Cannot allocate memory",
  EDQUOT: "Disk quota exceeded",
};

let known: Map<string, readonly [number, string]> | undefined;

/** Made at the first error, and `node:util` not imported: a thread that starts needs neither. */
function byName(): NonNullable<typeof known> {
  known ??= new Map([...process.getBuiltinModule("node:util").getSystemErrorMap()]
    .map(([number, [name, message]]) => [name, [number, message]]));
  return known;
}

/** Number and words for an error name. */
export function systemFacts(name: string): SystemFacts {
  const [number, message] = byName().get(name) ?? [0, name];
  const words = WORDS[name] ?? message.charAt(0).toUpperCase() + message.slice(1);
  return { name, errno: Math.abs(number), strerror: words };
}

/** Facts of a thrown value; undefined when the system did not throw it. */
export function systemFactsOf(error: unknown): SystemFacts | undefined {
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  if (typeof code !== "string") return undefined;
  if (byName().has(code)) return systemFacts(code);
  // Text with a NUL byte never reaches the system.
  if (code === "ERR_INVALID_ARG_VALUE") return systemFacts("EINVAL");
  return typeof errno === "number" ? { name: code, errno: Math.abs(errno), strerror: code } : undefined;
}
