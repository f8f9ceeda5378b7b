/** What an error of SQLite says to a person: which file, what to do, whether a later try may help. */

export interface SqliteFailure {
  readonly message: string;
  readonly retry: "never" | "later";
  /** Extended result code of SQLite; 0 when the error came from elsewhere. */
  readonly sqlite_code: number;
  readonly hint?: string;
}

interface Advice {
  readonly retry?: "later";
  readonly hint: string;
}

/** By primary result code. Only codes whose cause is the file or the machine, not the statement. */
const ADVICE: Readonly<Record<number, Advice>> = {
  5: {
    retry: "later", hint: "Another program is writing to this file; try again, or raise the busy timeout.",
  },
  8: { hint: "Give this user the right to write the file and its folder, or name another file." },
  10: { hint: "Look at the disk and at the limits of file size; what was stored before is untouched." },
  11: { hint: "The file is damaged and was left as it is: move it aside or restore a copy, then try again." },
  13: { hint: "Free some space, then try again; what was stored before is untouched." },
  14: { hint: "The path must be a file in a folder that this user may write; mend that or name another." },
  26: { hint: "The file was left as it is: move it aside or name another file." },
};

/** `file` is named in the text of errors that are about the file. */
export function toSqliteFailure(error: unknown, file: string): SqliteFailure {
  const { errcode = 0, message } = error as { errcode?: number; message: string };
  const advice = ADVICE[errcode & 0xff];
  if (advice === undefined) return { message, retry: "never", sqlite_code: errcode };
  const what = (errcode & 0xff) === 26 ? "not a SQLite database" : message;
  const { retry = "never", hint } = advice;
  return { message: `${what}: ${file}`, retry, sqlite_code: errcode, hint };
}
