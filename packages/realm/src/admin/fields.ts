/** The body or query of a request of an operator, read field by field; all that is wrong is said at once. */
export class Fields {
  readonly problems: string[] = [];
  readonly #given: Readonly<Record<string, unknown>>;

  constructor(given: unknown) {
    const isRecord = typeof given === "object" && given !== null && !Array.isArray(given);
    this.#given = isRecord ? given as Record<string, unknown> : {};
    if (!isRecord) this.problems.push("the body is no JSON object");
  }

  has(name: string): boolean {
    return this.#given[name] !== undefined && this.#given[name] !== null;
  }

  raw(name: string): unknown {
    return this.#given[name];
  }

  /** A text of at most 1,024 characters; without `usual` it must be there. */
  text(name: string, usual?: string): string {
    const value = this.#given[name] ?? usual;
    if (typeof value === "string" && value.length <= 1_024) return value;
    this.problems.push(`${name} is no text`);
    return "";
  }

  /** A whole number in a range; texts of a query count too. */
  whole(name: string, o: { readonly min: number; readonly max: number; readonly usual?: number }): number {
    const given = this.#given[name] ?? o.usual;
    const value = typeof given === "string" && /^\d{1,15}$/.test(given) ? Number(given) : given;
    if (typeof value === "number" && Number.isInteger(value) && value >= o.min && value <= o.max) {
      return value;
    }
    this.problems.push(`${name} is not a whole number in ${o.min}..${o.max}`);
    return o.min;
  }

  /** What a reader makes of a text; undefined from it is a problem. */
  as<T>(name: string, what: string, read: (text: string) => T | undefined): T | undefined {
    const value = this.text(name);
    const found = value === "" ? undefined : read(value);
    if (found === undefined) this.problems.push(`${name} is no ${what}`);
    return found;
  }

  /** One sentence with all that is wrong. */
  get problem(): string | undefined {
    return this.problems.length === 0 ? undefined : [...new Set(this.problems)].join("; ");
  }
}
