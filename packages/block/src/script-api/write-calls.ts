/** `bridges/api.ts`: what the threads of isles need to know of the plain calls, and nothing else. */
import type { ApiFunction, ApiModule } from "./declare.ts";
import { type Param, readSignature, type Type } from "./signature.ts";

const HEAD = `/**
 * The script functions that are plain calls of a host op. \`args\` are in order, \`name:type\` with \`?\` for an optional
 * one; a \`json\` argument reaches the op as JSON text. The list is made by \`npm run api\` from \`script-api/\`.
 */
export interface ApiFunction {
  readonly name: string;
  readonly args: readonly string[];
  /** Only in the isle of the script. */
  readonly isle?: "main";
}

export const API: readonly ApiFunction[] = [
`;

export function writeCalls(modules: readonly ApiModule[]): string {
  const plain = modules.flatMap((m) => m.functions).filter((f) => f.host);
  return `${HEAD}${plain.map((f) => `  ${writeCall(f)},\n`).join("")}];\n`;
}

function writeCall(f: ApiFunction): string {
  const { name } = readSignature(f.signature);
  const args = bridgeArgs(f).map((arg) => JSON.stringify(arg)).join(", ");
  return `{ name: "${name}", args: [${args}]${f.mainOnly ? ', isle: "main"' : ""} }`;
}

/** Arguments as the isles read them: `["url:string", "opts:table?"]`. */
export function bridgeArgs(f: ApiFunction): string[] {
  return readSignature(f.signature).params.map(bridgeArg);
}

function bridgeArg({ name, type, optional, rest }: Param): string {
  return `${name}:${bridgeType(type)}${optional ? "?" : ""}${rest ? "..." : ""}`;
}

const PLAIN: ReadonlySet<string> = new Set(["string", "number", "integer", "boolean", "any", "json", "table", "function"]);

function bridgeType(type: Type): string {
  if (type.is === "function") return "function";
  if (type.is === "union" || type.is === "literal") return "any";
  return type.is === "name" && PLAIN.has(type.name) ? type.name : "table";
}
