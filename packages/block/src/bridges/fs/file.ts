/** An open file of `io.open`: the host half. Lines, numbers and buffers are the business of the isle. */
import type { FileHandle } from "node:fs/promises";
import type { Opened } from "../handles.ts";
import { type Patience, type Reading, readingOf, writeAll } from "./bytes.ts";
import { systemError } from "./errors.ts";

/** Bytes of one read at most. */
const READ_BYTES_MAX = 4_194_304;

export interface FileOptions {
  /** Writes go to the end, wherever the file stands. */
  readonly append: boolean;
  /** Regular files have positions; pipes and devices do not. */
  readonly seekable: boolean;
  /** A pipe with a name: a writer may come later. */
  readonly pipe: boolean;
}

/** Operations on one file run one after the other, in the order they were asked for. */
export class OpenFile implements Opened {
  readonly #handle: FileHandle;
  readonly #options: FileOptions;
  readonly #read: Reading;
  /** `end` = where the file ends, after a write that appended. */
  #position: number | "end" = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(handle: FileHandle, options: FileOptions) {
    this.#handle = handle;
    this.#options = options;
    this.#read = readingOf(handle, options.pipe);
  }

  /** At least one byte and at most `bytes`; undefined at the end. */
  read(bytes: number, o: Patience): Promise<Uint8Array | undefined> {
    return this.#inOrder(async () => {
      const chunk = new Uint8Array(Math.max(1, Math.min(bytes, READ_BYTES_MAX)));
      const position = this.#options.seekable ? await this.#at() : null;
      const bytesRead = await this.#read(chunk, position, o);
      if (position !== null) this.#position = position + bytesRead;
      return bytesRead === 0 ? undefined : chunk.slice(0, bytesRead);
    });
  }

  write(data: string | Uint8Array, o: Patience): Promise<void> {
    return this.#inOrder(async () => {
      const position = this.#options.seekable && !this.#options.append ? await this.#at() : null;
      const written = await writeAll(this.#handle, data, position, o);
      this.#position = position === null ? "end" : position + written;
    });
  }

  /** The new position, in bytes from the beginning. */
  seek(whence: "set" | "cur" | "end", offset: number): Promise<number> {
    return this.#inOrder(async () => {
      if (!this.#options.seekable) throw systemError("ESPIPE");
      const from = whence === "set" ? 0 : whence === "cur" ? await this.#at() : await this.#size();
      const position = from + offset;
      if (!Number.isSafeInteger(position) || position < 0) throw systemError("EINVAL");
      this.#position = position;
      return position;
    });
  }

  /** Waits for what was asked before; nothing is kept back on this side. */
  async settled(): Promise<void> {
    await this.#inOrder(() => Promise.resolve());
  }

  /** Closes after what was asked before; throws what the system says to it. */
  async finish(): Promise<void> {
    await this.#inOrder(() => this.#handle.close());
  }

  async close(): Promise<void> {
    // The file is let go of: nobody is left to hear that its last bytes could not be stored.
    await this.#handle.close().catch(() => undefined);
  }

  async #at(): Promise<number> {
    return this.#position === "end" ? await this.#size() : this.#position;
  }

  async #size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  #inOrder<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
