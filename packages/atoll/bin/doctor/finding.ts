/** One thing that `atoll doctor` looked at. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly text: string;
  /** How to get what is missing. */
  readonly fix?: string;
  /** The same as data, for `--json`. */
  readonly facts?: Readonly<Record<string, unknown>>;
}
