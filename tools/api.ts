/**
 * `npm run api`: writes what is made from the declaration of the script API (`packages/block/src/script-api`):
 * the host calls of isles, the types of TypeScript scripts, the stubs for Lua editors and the reference; and from the
 * method table of mobs (`packages/mob/src/http`) the types of the client.
 * `--check` writes nothing and says what is old.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GENERATE = new URL("../packages/block/src/script-api/generate.ts", import.meta.url);
const CLIENT = new URL("../packages/mob/src/http/client-source.ts", import.meta.url);

interface Generator {
  generateAll(): Readonly<Record<string, string>>;
}

interface ClientPrinter {
  clientSource(): string;
}

export async function main(args: readonly string[]): Promise<number> {
  const { generateAll } = await import(GENERATE.href) as Generator;
  const { clientSource } = await import(CLIENT.href) as ClientPrinter;
  const all = { ...generateAll(), "packages/client/src/generated/methods.ts": clientSource() };
  const old = Object.entries(all).filter(([path, text]) => {
    const file = join(ROOT, path);
    return !existsSync(file) || readFileSync(file, "utf8") !== text;
  });
  const check = args.includes("--check");
  for (const [path, text] of old) {
    console.log(check ? `${path} is old: run npm run api` : `wrote ${path}`);
    if (check) continue;
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
  return check && old.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
