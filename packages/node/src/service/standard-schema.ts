/**
 * Validators of any library, by the interface they share (standardschema.dev), so that no library is needed.
 */
export interface StandardSchema<Written = unknown, Read = Written> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Read> | Promise<StandardResult<Read>>;
    readonly types?: { readonly input: Written; readonly output: Read } | undefined;
  };
}

export type StandardResult<Read> =
  | { readonly value: Read; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The value as the validator gives it, or what is wrong, one sentence each. */
export type Checked<Read> =
  | { readonly ok: true; readonly value: Read }
  | { readonly ok: false; readonly issues: readonly string[] };

/** Sentences that are kept of one value. */
const ISSUES_MAX = 32;

export function isStandardSchema(value: unknown): value is StandardSchema {
  const { "~standard": standard } = (value ?? {}) as Partial<StandardSchema>;
  return typeof standard?.validate === "function";
}

/** Never throws: a validator that does has found something wrong. */
export async function check<Read>(schema: StandardSchema<unknown, Read>, value: unknown): Promise<Checked<Read>> {
  try {
    const result = await schema["~standard"].validate(value);
    if (result.issues === undefined) return { ok: true, value: result.value };
    return { ok: false, issues: result.issues.slice(0, ISSUES_MAX).map(toSentence) };
  } catch (error) {
    return { ok: false, issues: [error instanceof Error ? error.message : String(error)] };
  }
}

function toSentence({ message, path = [] }: StandardIssue): string {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
}
