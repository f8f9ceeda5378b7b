/** What is wrong with a tree, each with its place. */
import type { z } from "zod";
import { nearest } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { Locate, Problem } from "./definition.ts";
import { whyNot } from "./later.ts";

export type Path = readonly (string | number)[];

const GUESSED_MAX = 100;
/** In words; the fact `problems` has more of them. */
const TOLD_MAX = 200;
const FACTS_MAX = 1_000;

export class Problems {
  readonly all: Problem[];
  readonly #locate: Locate;
  /** Places that have a problem of their own, with all that they are part of; and those where nothing right is left. */
  #told: ReadonlySet<string> = new Set();
  #wrong: ReadonlySet<string> = new Set();

  constructor(locate: Locate = () => undefined, known: readonly Problem[] = []) {
    this.all = [...known];
    this.#locate = locate;
  }

  /** From here on nothing is said of these places again: what is found there follows from what is wrong with them. */
  beside(issues: readonly z.core.$ZodIssue[]): this {
    const toPath = ({ path }: z.core.$ZodIssue): Path => path.map((step) => typeof step === "symbol" ? String(step) : step);
    this.#told = new Set(issues.filter(({ code }) => code !== "unrecognized_keys").map(toPath).flatMap((path) => path.map((_, at) => toPathText(path.slice(0, at + 1)))));
    this.#wrong = new Set(issues.flatMap((issue) => issue.code === "unrecognized_keys" ? [] : [toPathText(toPath(issue))]));
    return this;
  }

  add(path: Path, text: string, hint?: string): void {
    if (this.#told.has(toPathText(path)) || path.some((_, at) => this.#wrong.has(toPathText(path.slice(0, at + 1))))) return;
    this.all.push({ path: toPathText(path), text, ...hint === undefined ? {} : { hint }, ...this.#locate(path) });
  }

  /** For a name that stands for nothing; `hint`: what is surely meant. */
  unknown(path: Path, word: string, { what, known, hint }: { readonly what: string; readonly known: Iterable<string>; readonly hint?: string | undefined }): void {
    // To look for what was meant costs as much as there are names.
    const near = hint === undefined && this.all.length < GUESSED_MAX ? nearest(word, known) : undefined;
    this.add(path, `there is no ${what} ${JSON.stringify(word)}`, hint ?? (near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`));
  }

  /** What the shape says. */
  shape(issues: readonly z.core.$ZodIssue[], keysAt: (path: Path) => readonly string[]): void {
    for (const issue of issues) {
      const path = issue.path.map((step) => typeof step === "symbol" ? String(step) : step);
      if (issue.code === "unrecognized_keys") {
        for (const key of issue.keys) {
          const why = whyNot(toPathText([...path, key]));
          if (why === undefined) this.unknown([...path, key], key, { what: "key", known: keysAt(path) });
          else this.add([...path, key], why);
        }
      } else this.add(path, toText(issue));
    }
  }

  /** All at once. */
  fault(): MobError {
    const all = inOrder(this.all);
    const lines = all.slice(0, TOLD_MAX).map(({ path, text, hint, file, line }) =>
      `${file === undefined ? "" : `${file}${line === undefined ? "" : `:${line}`}: `}${path}: ${text}${hint === undefined ? "" : ` (${hint})`}`);
    return mobError("mob.definition_invalid", `the definition has ${this.all.length} error${this.all.length === 1 ? "" : "s"}:\n${lines.join("\n")}${this.all.length > TOLD_MAX ? "\n…" : ""}`, {
      facts: { problems: all.slice(0, FACTS_MAX) }, hint: "Mend them all, then try again: nothing has been done.",
    });
  }
}

/** As they stand in their files; the files in the order in which something was found in them. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  return problems.toSorted((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || (a.line ?? 0) - (b.line ?? 0));
}

/** `profiles.scout.grants[1]`. */
export function toPathText(path: Path): string {
  return path.reduce<string>((text, step) =>
    typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`, "") || "the tree";
}

function toText(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union") return "is neither of what it may be";
  if (issue.code === "invalid_type" && issue.input === undefined && issue.message.includes("undefined")) return "is missing";
  return issue.message;
}
