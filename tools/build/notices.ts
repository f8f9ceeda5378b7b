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
    const text = licence === undefined ? "" : readFileSync(join(folder, licence), "utf8").trim();
    if (text === "") throw new Error(`${name} carries no licence text: it cannot be bundled`);
    return `${name} ${version}\n\n${text}\n`;
  });
  if (notices.length === 0) return;
  writeFileSync(file, `This program carries code of others.\n\n${notices.join("\n\n")}`);
}
