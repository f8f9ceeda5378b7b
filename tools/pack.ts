/**
 * `npm run pack:check`: packs every package as it would be published, installs what a user of the program
 * installs into an empty folder, and checks it: at most 60 MB, no install scripts, `atoll --version` answers.
 * Third-party packages come from the registry or npm's cache. `--json` prints the figures as data.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync, globSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.ts";
import { closureOf } from "./build/manifest.ts";
import { runChild } from "./child.ts";
import { readManifest, readWorkspaces } from "./workspaces.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const BUILT = "build/node_modules";
const PROGRAM = "@atoll-run/atoll";
const MEGABYTE = 1_000_000;
const INSTALLED_MB_MAX = 60;
const INSTALL_TIMEOUT_MS = 180_000;
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

interface Figures {
  readonly installed_mb: number;
  readonly packages: number;
  /** `name: script` of each package that would run something when it is installed. */
  readonly install_scripts: readonly string[];
  readonly version: string;
  /** Megabytes of the largest packages, largest first. */
  readonly largest: Readonly<Record<string, number>>;
}

export async function main(args: readonly string[], root = ROOT): Promise<number> {
  await build(root);
  const scratch = mkdtempSync(join(tmpdir(), "atoll-pack-"));
  try {
    const all = readWorkspaces(root).filter(({ manifest }) => existsSync(join(root, BUILT, manifest.name)));
    const program = all.find(({ manifest }) => manifest.name === PROGRAM);
    const tarballs = new Map(all.map((workspace) => [
      workspace, pack(join(root, BUILT, workspace.manifest.name), join(scratch, "tarballs")),
    ]));
    if (!program) {
      console.error(`${PROGRAM} is not built: has packages/atoll its src/index.ts?`);
      return 1;
    }
    const home = join(scratch, "home");
    await install(home, closureOf(program, all).flatMap((workspace) => tarballs.get(workspace) ?? []));
    const figures = measure(home);
    console.log(args.includes("--json") ? JSON.stringify(figures, null, 2) : toText(figures));
    return complain(figures, program.manifest.version);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Packs one built package and gives the tarball. */
function pack(folder: string, into: string): string {
  mkdirSync(into, { recursive: true });
  const before = new Set(readdirSync(into));
  npm(["pack", "--pack-destination", into, folder], into);
  const [made] = readdirSync(into).filter((file) => !before.has(file));
  if (made === undefined) throw new Error(`npm pack made nothing of ${folder}`);
  return join(into, made);
}

function npm(args: readonly string[], cwd: string): string {
  return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"],
    timeout: INSTALL_TIMEOUT_MS });
}

/** Installs as a user would, into a folder with nothing but a package.json. */
async function install(home: string, tarballs: readonly string[]): Promise<void> {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"),
    JSON.stringify({ name: "home", private: true, version: "1.0.0" }));
  const end = await runChild({ command: "npm", cwd: home, timeoutMs: INSTALL_TIMEOUT_MS,
    args: ["install", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs] });
  if (end.code !== 0) throw new Error(`npm install failed:\n${end.output}`);
}

function measure(home: string): Figures {
  const manifests = globSync("node_modules/{*,@*/*}/package.json", { cwd: home })
    .concat(globSync("node_modules/**/node_modules/{*,@*/*}/package.json", { cwd: home }));
  const folders = [...new Set(manifests)].map((file) => join(home, file, ".."));
  const nameOf = (folder: string): string => readManifest(join(folder, "package.json")).name;
  const sizes = folders.map((folder) => [nameOf(folder), bytesIn(folder)] as const);
  const scripts = folders.flatMap((folder) => {
    const { name, scripts = {} } = readManifest(join(folder, "package.json"));
    const asked = INSTALL_SCRIPTS.filter((script) => script in scripts);
    // npm builds a package with a binding.gyp even when it names no script.
    return [...asked, ...existsSync(join(folder, "binding.gyp")) ? ["binding.gyp"] : []]
      .map((script) => `${name}: ${script}`);
  });
  const largest = sizes.toSorted(([, a], [, b]) => b - a).slice(0, 5)
    .map(([name, bytes]) => [name, toMegabytes(bytes)] as const);
  return {
    installed_mb: toMegabytes(bytesIn(join(home, "node_modules"))), packages: folders.length,
    install_scripts: scripts,
    version: npm(["exec", "--offline", "--", basename(PROGRAM), "--version"], home).trim(),
    largest: Object.fromEntries(largest),
  };
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => lstatSync(join(folder, file))).filter((stat) => stat.isFile())
    .reduce((sum, stat) => sum + stat.size, 0);
}

function toMegabytes(bytes: number): number {
  return Math.round(bytes / MEGABYTE * 100) / 100;
}

function toText({ installed_mb, packages, install_scripts, version, largest }: Figures): string {
  const parts = Object.entries(largest).map(([name, mb]) => `${name} ${mb}`).join(", ");
  return [
    `installed: ${installed_mb} MB in ${packages} packages (at most ${INSTALLED_MB_MAX} MB)`,
    `largest: ${parts}`,
    `install scripts: ${install_scripts.join(", ") || "none"}`,
    `${basename(PROGRAM)} --version: ${version}`,
  ].join("\n");
}

/** Says what is wrong with the figures; gives the exit code. */
function complain(figures: Figures, version: string): number {
  const wrong = [
    ...figures.installed_mb > INSTALLED_MB_MAX
      ? [`${figures.installed_mb} MB are more than ${INSTALLED_MB_MAX}`] : [],
    ...figures.install_scripts.length > 0 ? [`install scripts: ${figures.install_scripts.join(", ")}`] : [],
    ...figures.version.includes(version) ? []
      : [`--version said ${figures.version}, the package is ${version}`],
  ];
  for (const line of wrong) console.error(`wrong: ${line}`);
  return wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
