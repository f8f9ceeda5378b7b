/** `docs/lua-api.md`: the reference of the script API. */
import type { ApiFunction, ApiModule, ApiShape, ApiValue } from "./declare.ts";
import { LUA_LIBRARIES, LUA_NOTES } from "./modules/globals.ts";
import { readField, readSignature } from "./signature.ts";
import { toCamel } from "./write-typescript.ts";

const HEAD = `# What a script can call

Made by \`npm run api\` from one declaration, which also gives the types of TypeScript scripts
(\`@atoll-run/atoll/script\`) and the stubs for Lua editors (folder \`stubs\` of the package \`@atoll-run/atoll\`:
add it to the library of your language server). A test calls every function of this page.

How to read it: \`~\` = waits, and other tasks of the script go on meanwhile (in JavaScript it gives a promise); \`?\` = may be
left out, or nil; \`json\` = plain data; \`{[string]: T}\` = a table with names as keys; \`-> A, B\` = two results. A wrong
argument raises \`<fn>: argument #n must be a <type>, got <type>\`, code \`script.argument\`; what no grant covers raises
\`grant.denied\`. An error is an object: \`tostring(e)\` gives its text, \`e.code\` its code ([errors](errors.md)).

In JavaScript and TypeScript names of functions and options are in camelCase, and every table of options may have a
\`signal\`; fields of results keep their names, and null is \`null\`. \`block\`, \`BlockError\` and \`bus.onModule\` are there only.

`;

export function writePage(modules: readonly ApiModule[]): string {
  const names = modules.map((m) => `[${title(m)}](#${title(m).toLowerCase().replaceAll(/[^\w]/g, "")})`).join(" · ");
  return `${HEAD}${names}\n\n${modules.map(writeModule).join("\n")}\n${writeLua()}`;
}

function title(m: ApiModule): string {
  return m.name === "_G" ? "Globals" : m.name;
}

function writeModule(m: ApiModule): string {
  const parts = [
    `## ${title(m)}\n\n${m.doc}${m.required ? ` In Lua: \`local ${m.name} = require("${m.name}")\`.` : ""}\n`,
    writeValues(m.values),
    ...m.functions.map((f) => writeFunction(f, m, "")),
    ...m.shapes.map((s) => writeShape(s, m)),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function writeValues(values: readonly ApiValue[]): string {
  if (values.length === 0) return "";
  const rows = values.map((v) => `| \`${cell(v.signature)}\` | ${v.doc} |\n`);
  return `| value | |\n|---|---|\n${rows.join("")}`;
}

function writeFunction(f: ApiFunction, m: ApiModule, self: string): string {
  const { name, params } = readSignature(f.signature);
  const about = [
    ...params.map((p) => `- \`${p.name}\`: ${f.params[p.name] ?? ""}\n`),
    ...(f.errors.length > 0 ? [`- raises ${f.errors.map((code) => `\`${code}\``).join(", ")}\n`] : []),
    ...(f.mainOnly ? ["- only in the isle of the script\n"] : []),
    ...(self === "" ? [writeNames(f, m)] : []),
  ].filter((line) => line !== "");
  const shown = self === "" ? f.signature : f.signature.replace(/^(~?)/, `$1${self}:`);
  const example = f.example.includes("\n") ? `\`\`\`lua\n${f.example}\n\`\`\`\n` : `- example: \`\` ${f.example} \`\`\n`;
  return `### ${self === "" ? "" : `${self}:`}${name}\n\n\`${shown}\`\n\n${f.doc}\n\n${about.join("")}${example.startsWith("`") ? "\n" : ""}${example}`;
}

function writeNames(f: ApiFunction, m: ApiModule): string {
  if (f.js === "") return "- Lua only\n";
  const { name } = readSignature(f.signature);
  const js = `${m.name}.${toCamel(name.slice(m.name.length + 1))}`;
  return js === name ? "" : `- JavaScript: \`${js}\`\n`;
}

function writeShape(s: ApiShape, m: ApiModule): string {
  const rows = Object.entries(s.fields).map(([text, doc]) => {
    const name = readField(text).name;
    return `| \`${name}\` | \`${cell(text.slice(text.indexOf(":") + 2))}\` | ${doc} |\n`;
  });
  const table = rows.length === 0 ? "" : `| field | type | |\n|---|---|---|\n${rows.join("")}`;
  const methods = s.methods.map((f) => writeFunction(f, m, s.name));
  return [`### ${s.name}\n\n${s.doc}\n`, table, ...methods].filter((part) => part !== "").join("\n");
}

function writeLua(): string {
  const libraries = Object.entries(LUA_LIBRARIES).map(([library, names]) => `| ${library === "_G" ? "base" : library} | ${names.replaceAll(" ", ", ").replaceAll("_", "\\_")} |\n`);
  const notes = Object.entries(LUA_NOTES).map(([name, note]) => `| \`${name}\` | ${note} |\n`);
  return "## Lua's own libraries\n\nThose of Lua 5.4, as its manual describes them; there is no `debug`, and no module in C. "
    + `\`io\` and \`os\` work on the host,\nunder grants.\n\n| library | functions and values |\n|---|---|\n${libraries.join("")}\n`
    + `| differs | how |\n|---|---|\n${notes.join("")}`;
}

/** In a table a bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
