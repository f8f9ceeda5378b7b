/** Documents that are served as resources: `docs/*.md` of the project, and those of Atoll itself. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface DocumentInfo {
  /** `docs://project/NAME.md` or `docs://atoll/NAME.md`. */
  readonly uri: string;
  readonly name: string;
  /** First heading. */
  readonly title: string;
  readonly bytes: number;
}

/** More of them, or larger ones, are no documents. */
const DOCUMENTS_MAX = 1_000;
const BYTES_MAX = 1_048_576;

/** Pages of the installed package, seen from its program and from its library, or of the repository. */
const OWN = ["../docs/", "../../docs/", "../../../../docs/"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

export class Documents {
  readonly #folders: readonly (readonly [host: string, folder: string])[];

  constructor(project: string) {
    const own = OWN.find((folder) => existsSync(join(folder, "cli.md")));
    this.#folders = [["project", join(project, "docs")], ...(own === undefined ? []
      : [["atoll", own] as const])];
  }

  /** Read anew each time: a page may be written while it is served. */
  list(): DocumentInfo[] {
    return this.#folders.flatMap(([host, folder]) => pagesOf(folder).map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      return { uri: `docs://${host}/${encodeURIComponent(name)}`, name: `${host}/${name}`,
        title: /^# (.+)$/m.exec(text)?.[1] ?? name, bytes: Buffer.byteLength(text) };
    })).slice(0, DOCUMENTS_MAX);
  }

  /** undefined when it is not in the list. */
  read(uri: string): string | undefined {
    for (const [host, folder] of this.#folders) {
      const name = pagesOf(folder).find((page) => uri === `docs://${host}/${encodeURIComponent(page)}`);
      if (name !== undefined) return readFileSync(join(folder, name), "utf8");
    }
    return undefined;
  }
}

/** Plain files only: a link could point anywhere. */
function pagesOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith(".md")).sort().filter((name) => {
    const info = lstatSync(join(folder, name));
    return info.isFile() && info.size <= BYTES_MAX;
  });
}
