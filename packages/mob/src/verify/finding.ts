/** What is not as it should be. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly code: string;
  /** What it is about: `members/editor`, `mailbox/editor/t_…`. */
  readonly path: string;
  readonly hint: string;
}
