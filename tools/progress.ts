/** What a tool says while it works: lines that stay, and one passing line that a terminal overwrites. */
const HEARTBEAT_MS = 30_000;

export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #terminal: boolean;
  #passing = "";
  #spokeAt = performance.now();

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
    this.#terminal = out.isTTY === true && process.env["TERM"] !== "dumb" && process.env["CI"] === undefined;
  }

  /** A line that stays. */
  line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
    this.#spokeAt = performance.now();
    this.#show();
  }

  /** What is going on now. Without a terminal it is printed only after half a minute of silence. */
  status(text: string): void {
    if (this.#terminal) {
      this.#clear();
      this.#passing = text;
      this.#show();
    } else if (performance.now() - this.#spokeAt > HEARTBEAT_MS) {
      this.line(text);
    }
  }

  /** Takes the passing line away. */
  end(): void {
    this.#clear();
    this.#passing = "";
  }

  #clear(): void {
    if (this.#terminal && this.#passing !== "") this.#out.write("\r\u001b[2K");
  }

  #show(): void {
    if (!this.#terminal || this.#passing === "") return;
    this.#out.write(this.#passing.slice(0, (this.#out.columns || 80) - 1));
  }
}

/** `0.42 s`, `3 m 05 s`. */
export function formatMs(ms: number): string {
  if (ms < 100_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
}
