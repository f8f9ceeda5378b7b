/** Identifiers as a part. */
export interface Ids {
  /** A random UUID, version 4. */
  uuid4(): string;
  /** A time-ordered UUID, version 7. */
  uuid7(): string;
}
