/** The licences of the third-party code that a bundle carries. */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readManifest } from "../workspaces.ts";

/**
 * Writes name, version and licence text of every package that one of the modules comes from; nothing when
 * none does.
 */
export function writeNotices(modules: readonly string[], file: string): void {
  const folders = new Set(modules.flatMap((id) => {
    const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll("\\", "/"));
    return found?.[1] ? [found[1]] : [];
  }));
  const notices = [...folders].sort().map((folder) => {
    const { name, version } = readManifest(join(folder, "package.json"));
    const [licence] = globSync("LICEN[CS]E*", { cwd: folder });
    const own = modules.filter((id) => id.replaceAll("\\", "/").startsWith(`${folder}/`));
    const text = licence === undefined ? heads(own) : readFileSync(join(folder, licence), "utf8").trim();
    if (text === "") throw new Error(`${name} carries no licence text: it cannot be bundled`);
    return `${name} ${version}\n\n${text}\n`;
  });
  if (notices.length === 0) return;
  writeFileSync(file, `This program carries code of others.\n\n${notices.join("\n\n")}`);
}

/** Some packages say it at the head of each file only: every head that speaks of a copyright, once. */
function heads(files: readonly string[]): string {
  const found = files.flatMap((file) => {
    const lines = readFileSync(file, "utf8").split("\n");
    const end = lines.findIndex((line) => !line.startsWith("//"));
    const head = lines.slice(0, end < 0 ? lines.length : end).map((line) => line.slice(2).trim()).join("\n").trim();
    return /copyright/i.test(head) ? [head] : [];
  });
  return [...new Set(found)].sort().join("\n\n");
}
