/** `atoll completion SHELL`: what a shell offers when Tab is pressed, made from the declarations. */
import { EXIT } from "../exit.ts";
import { complainOf, say } from "../output/terminal.ts";
import { readArguments } from "../program/arguments.ts";
import { commandHelp, usageLine } from "../program/help.ts";
import { verbWords } from "../program/declaration.ts";
import { COMMANDS, type Command, commandOf, type Flag } from "../program/table.ts";

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

export async function completion(args: readonly string[]): Promise<number> {
  const command = commandOf("completion") as Command;
  const { flags, positionals, problems } = readArguments(command, args);
  if (flags.has("help")) {
    await say(commandHelp(command));
    return EXIT.ok;
  }
  const [shell = ""] = positionals;
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (problems.length > 0 || positionals.length !== 1 || script === undefined) {
    const wrong = { where: { name: shell === "" ? "SHELL" : shell },
      problem: `name one of ${Object.keys(SHELLS).join(", ")}` };
    await complainOf(problems.length > 0 ? problems : [wrong], usageLine(command));
    return EXIT.usage;
  }
  await say(script());
  return EXIT.ok;
}

function words(command: Command): string {
  const flags = command.flags
    .flatMap((flag) => [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])]);
  return [...verbWords(command), ...flags, ...(Array.isArray(command.complete) ? command.complete as string[] : [])].join(" ");
}

function bash(): string {
  const cases = COMMANDS.flatMap((command) => command.flags.flatMap((flag) => {
    const offer = offerBash(flag.complete);
    const names = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
    return flag.value === undefined || flag.optional === true ? []
      : names.map((name) => `    ${command.name}:${name}) ${offer}; return ;;`);
  }));
  const lists = COMMANDS.map((command) => `    ${command.name}) words="${words(command)}" ;;`);
  return `# bash completion of atoll: source <(atoll completion bash)
_atoll() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${COMMANDS.map(({ name }) => name).join(" ")} help --help --version" -- "$word"))
    return
  fi
  case "$command:$before" in
${cases.join("\n")}
  esac
  case "$command" in
${lists.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ "$command" = run ] && [ "\${word#-}" = "$word" ] && COMPREPLY+=($(compgen -f -- "$word"))
}
complete -o filenames -F _atoll atoll`;
}

function offerBash(complete: Flag["complete"]): string {
  if (complete === "file") return "COMPREPLY=($(compgen -f -- \"$word\"))";
  if (complete === "folder") return "COMPREPLY=($(compgen -d -- \"$word\"))";
  return complete === undefined ? "true" : `COMPREPLY=($(compgen -W "${complete.join(" ")}" -- "$word"))`;
}

function zsh(): string {
  const commands = COMMANDS.map(({ name, what }) => `    '${name}:${quoted(what)}'`);
  const cases = COMMANDS.map((command) => {
    const flags = command.flags.flatMap((flag) => zshFlag(flag));
    const verbs = command.verbs === undefined ? [] : [`'1:verb:(${verbWords(command).join(" ")})'`];
    const rest = [...verbs, ...command.complete === undefined ? [] : [`'*:argument:${zshAction(command.complete)}'`]];
    return `    ${command.name})\n      _arguments ${[...flags, ...rest].join(" \\\n        ")} ;;`;
  });
  return `#compdef atoll
_atoll() {
  local -a commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
compdef _atoll atoll`;
}

function zshFlag(flag: Flag): string[] {
  const names = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
  const value = flag.value === undefined ? ""
    : `${flag.optional === true ? "::" : ":"}${flag.value}:${zshAction(flag.complete)}`;
  const many = flag.repeat === true ? "*" : "";
  return names.map((name) =>
    `'${many}${name}${flag.optional === true ? "=-" : ""}[${quoted(flag.what)}]${value}'`);
}

function zshAction(complete: Flag["complete"]): string {
  if (complete === "file") return "_files";
  if (complete === "folder") return "_files -/";
  return complete === undefined ? "" : `(${complete.join(" ")})`;
}

/** For a text between single quotes that is itself a part of a zsh specification. */
function quoted(text: string): string {
  return text.replaceAll("'", "’").replace(/[[\]:]/g, "\\$&");
}

function fish(): string {
  const lines = ["# fish completion of atoll", "complete -c atoll -f"];
  for (const command of COMMANDS) {
    const what = command.what.replaceAll("'", "’");
    lines.push(`complete -c atoll -n __fish_use_subcommand -a ${command.name} -d '${what}'`);
    const on = `complete -c atoll -n '__fish_seen_subcommand_from ${command.name}'`;
    if (command.complete === "file") lines.push(`${on} -F`);
    if (command.verbs !== undefined) lines.push(`${on} -a '${verbWords(command).join(" ")}'`);
    if (Array.isArray(command.complete)) lines.push(`${on} -a '${command.complete.join(" ")}'`);
    for (const flag of command.flags) {
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const needs = flag.value === undefined || flag.optional === true ? "" : " -r";
      const offer = flag.complete === "file" || flag.complete === "folder" ? " -F"
        : flag.complete === undefined ? "" : ` -a '${flag.complete.join(" ")}'`;
      lines.push(`${on} -l ${flag.name}${short}${needs}${offer} -d '${flag.what.replaceAll("'", "’")}'`);
    }
  }
  return lines.join("\n");
}
