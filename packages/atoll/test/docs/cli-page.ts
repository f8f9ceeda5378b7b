/** `docs/cli.md`, made from the declarations of the program. */
import { COMMANDS, type Command, type Flag, type Variable } from "../../bin/program/table.ts";

const HEAD = `# Command line

\`atoll COMMAND [FLAGS]\`. \`atoll --help\` and \`atoll COMMAND --help\` print the same on a terminal. This page is printed from
\`packages/atoll/bin/program/table.ts\` by \`node packages/atoll/test/docs/write-docs.ts\`; a test compares the two.

A setting is read from its flag,
then from \`ATOLL_NAME\`, then from \`AGENT_BLOCK_NAME\`. An empty variable counts as not set,
but for \`ATOLL_PROMPT\` and \`ATOLL_CONTEXT\`. An \`ATOLL_*\` variable that nobody reads gives a warning.`;

const RUN_NOTES = `### Grants

Without grants a script may do what its user may do. Any of \`--restricted\`, \`--grants\`, \`--allow-…\` and \`--grant\` (but for
\`--grant secret:NAME\`) denies what is not named. A list is one array, in TOML or JSON:

\`\`\`toml
grants = [
  "net:api.example.com",   # host, *.host, host:port, address or CIDR with port, or private
  "run:git",               # name or absolute path of a program; sh = any shell text
  "fs.read:./data",        # path or glob below a root
  "fs.write:./out",        # includes reading
  "env:PET_*",             # name or PREFIX_*
  "secret:PET_TOKEN",      # children may see this secret
]
\`\`\`

### Output

What the script prints goes to standard output byte for byte, and nothing else does,
  but for \`--result -\`. The log goes to
standard error; with \`--log-to stdout\` its lines stand between the printed ones, whole lines in the order of the script: a
line is held until it is finished. What ends a run by an error is printed as \`atoll: <text>\` on standard error.
[errors.md](errors.md) lists all codes.

Variables whose names say that they hold a secret (
  \`*TOKEN*\`, \`*API_KEY*\`, \`*PASSWORD*\`, …) are not passed to children, and
their values are masked as \`[REDACTED]\` in logs and errors.

### Signals

The first SIGINT, SIGTERM or SIGHUP is a graceful stop while \`bus.serve()\` runs: it returns, the script goes on, and its own
exit code counts. Otherwise it cancels the run: children are ended, stores are closed, exit 128+n. The second kills all
children and exits at once. When the program itself is killed with SIGKILL, a watcher that it started with the first child
ends the children. When the reader of standard output goes away, the run ends quietly with exit 141; when it is a file that
cannot be written, such as on a full disk, the reason is told, exit 1.

### Result

\`--result FILE\` writes one JSON object: \`value\` (first value that the script returned), \`outcome\` (\`returned\`, \`stopped\`,
\`exited\` or \`failed\`), \`exit_code\`, \`duration_ms\`, \`bus\`, \`unfinished\`, \`warnings\`; after an error \`error\` with \`code\`, \`text\`
and \`retry\`.`;

export function renderCli(): string {
  return `${[HEAD, ...COMMANDS.map(section)].join("\n\n")}\n`;
}

function section(command: Command): string {
  const parts = [
    `## atoll ${command.name}`, `\`atoll ${command.name} ${command.usage}\`: ${lower(command.what)}`,
    ...command.verbs === undefined ? []
      : [table(["verb", "what"], command.verbs.map(([usage, what]) => [`\`${usage}\``, what]))],
    table(["flag", "variable", "default", "what"], command.flags.map(flagRow)),
  ];
  if (command.variables !== undefined) {
    parts.push("Settings without a flag:",
      table(["variable", "default", "what"], command.variables.map(variableRow)));
  }
  parts.push("Exit codes:", table(["code", "when"], command.exits.map(([code, what]) => [code, what])));
  if (command.name === "run") parts.push(RUN_NOTES);
  parts.push("### Examples".concat(command.name === "run" ? "" : ` of ${command.name}`),
    `\`\`\`sh\n${command.examples.map(([line, what]) => `# ${what}\n${line}`).join("\n")}\n\`\`\``);
  return parts.join("\n\n");
}

function lower(text: string): string {
  return text[0]?.toLowerCase() + text.slice(1);
}

function flagRow(flag: Flag): string[] {
  const value = flag.value === undefined ? "" : flag.optional === true ? `[=${flag.value}]`
    : ` ${flag.value}`;
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  return [
    `\`${short}--${flag.name}${value}\`${flag.repeat === true ? ", repeatable" : ""}`,
    flag.setting === undefined ? "" : `\`ATOLL_${flag.setting}\``, flag.default ?? "", flag.what,
  ];
}

function variableRow(variable: Variable): string[] {
  return [`\`${variable.bare === true ? "" : "ATOLL_"}${variable.name}\``, variable.default, variable.what];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")).replaceAll(" ", ""), ...rows.map(line)].join("\n");
}
