/** A project with every kind of finding, made for the tests of the audit. */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Makes a folder with `project/node_modules` in it, and gives its path; whoever calls it removes it. */
export function makeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "atoll-audit-"));
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const pack = (path: string, manifest: object): void =>
    write(`project/node_modules/${path}/package.json`, JSON.stringify(manifest));
  pack("plain", { name: "plain", version: "1.0.0", license: "MIT" });
  pack("@scope/inner", { name: "@scope/inner", version: "2.0.0", license: "(MIT OR GPL-3.0)" });
  pack("nest/node_modules/plain", { name: "plain", version: "0.9.0", licenses: [{ type: "ISC" }] });
  pack("nest", { name: "nest", version: "1.0.0", license: "MIT", scripts: { postinstall: "node setup.js --all" } });
  write("project/node_modules/nest/setup.js", "require('child_process').execSync('true');");
  pack("strict", { name: "strict", version: "3.1.4", license: "SSPL-1.0" });
  pack("moved", { name: "moved", version: "1.9.0", license: "MIT", engines: { node: ">=20" } });
  pack("unlicensed", { name: "unlicensed", version: "0.0.1" });
  write("project/node_modules/broken/package.json", "{ \"name\": \"broken\", ");
  write("project/node_modules/native/lib.node", Buffer.alloc(3000));
  pack("native", { name: "native", version: "1.0.0", license: "Apache-2.0" });
  write("project/node_modules/native/bin/program", Buffer.concat([Buffer.from("\x7fELF"), Buffer.alloc(5000)]));
  write("project/node_modules/.bin/ignored/package.json", "{}");
  const locked = { plain: "1.0.0", "@scope/inner": "2.0.0", "nest/node_modules/plain": "0.9.0", nest: "1.0.0", strict: "3.1.4", moved: "2.0.0", native: "1.0.0" };
  write("project/node_modules/.package-lock.json", JSON.stringify({ packages: {
    ...Object.fromEntries(Object.entries(locked).map(([path, version]) => [`node_modules/${path}`, { version, integrity: "sha512-x" }])),
    "node_modules/unlicensed": { version: "0.0.1" },
  } }));
  symlinkSync("plain", join(folder, "project/node_modules/linked"));
  return folder;
}
