/**
 * Every command, flag and setting, declared once: parsing, help, completion and `docs/cli.md` are made from
 * this table (spec: block 3).
 */

import { type Command, type Flag, HELP, type Variable } from "./declaration.ts";
import { MOB_COMMANDS } from "./mob-table.ts";
import { NODE_COMMANDS } from "./node-table.ts";

export type { Command, Flag, Variable } from "./declaration.ts";

const RUN_FLAGS: readonly Flag[] = [
  { name: "script", short: "s", value: "PATH", complete: "file",
    what: "The script to run; `-` reads it from standard input. May also stand alone: atoll run PATH." },
  { name: "project", short: "p", value: "DIR", default: ".", complete: "folder",
    what: "Project folder: holds .env and blocks/, and is where children start." },
  { name: "relay", short: "r", value: "URL", setting: "RELAY",
    what: "Mesh through a realm: http://127.0.0.1:8081. Every node of the realm may then ask the script." },
  { name: "secret-key", value: "HEX", setting: "MESH_SECRET_KEY", default: "random",
    what: "Identity on the mesh, 64 hex digits. Better as a variable: flags are visible in process lists." },
  { name: "mcp-timeout-secs", value: "N", default: "30",
    what: "Seconds for one round trip to an MCP server." },
  { name: "prompt", value: "TEXT", setting: "PROMPT", what: "Global _PROMPT of the script." },
  { name: "prompt-file", value: "FILE", complete: "file", what: "_PROMPT from a file. Excludes --prompt." },
  { name: "context", short: "c", value: "TEXT", setting: "CONTEXT", what: "Global _CONTEXT of the script." },
  { name: "context-file", value: "FILE", complete: "file",
    what: "_CONTEXT from a file. Excludes --context." },
  { name: "restricted", what: "Deny what no grant names." },
  { name: "grant", value: "GRANT", repeat: true,
    what: "Grant `verb:pattern`, or `verb` for everything: net:api.example.com, run:git, fs.read:./data. "
      + "Implies --restricted, but not for secret:NAME, which lets children see that variable." },
  { name: "grants", value: "FILE", setting: "GRANTS", default: "all", complete: "file",
    what: "A list of grants in a TOML or JSON file; the variable may also hold the list itself: "
      + "[\"net\", …]. Implies --restricted." },
  { name: "allow-net", value: "LIST", optional: true,
    what: "Grant net, or net: for each item (comma between)." },
  { name: "allow-run", value: "LIST", optional: true, what: "The same for run." },
  { name: "allow-read", value: "LIST", optional: true, what: "The same for fs.read." },
  { name: "allow-write", value: "LIST", optional: true,
    what: "The same for fs.write, which includes reading." },
  { name: "allow-env", value: "LIST", optional: true, what: "The same for env." },
  { name: "allow-mcp", value: "LIST", optional: true, what: "The same for mcp." },
  { name: "log", value: "LEVEL", setting: "LOG", default: "info",
    complete: ["off", "error", "warn", "info", "debug", "trace"],
    what: "What is logged: off, a level, target=level, or a list of these with commas. "
      + "The variable falls back to RUST_LOG." },
  { name: "log-format", value: "FORMAT", setting: "LOG_FORMAT", default: "pretty",
    complete: ["pretty", "json"],
    what: "pretty or json." },
  { name: "log-to", value: "WHERE", setting: "LOG_TO", default: "stderr", complete: "file",
    what: "stderr, stdout (whole lines between what the script prints), none, or a file to append to." },
  { name: "timeout", value: "SECS", setting: "WALL_MS_MAX", default: "none",
    what: "End the run after so many seconds, fractions allowed. The variable counts milliseconds." },
  { name: "memory", value: "MIB", setting: "ISLE_MIB_MAX", default: "256, restricted 64",
    what: "Memory of one isle in MiB." },
  { name: "result", value: "FILE", complete: "file",
    what: "Write how the run ended as JSON; `-` writes it to standard output, behind the prints." },
  HELP,
];

/** Flags of `run` that mean the same elsewhere. */
function ofRun(...names: readonly string[]): Flag[] {
  return RUN_FLAGS.filter(({ name }) => names.includes(name));
}

const MCP_FLAGS: readonly Flag[] = [
  { name: "script", short: "s", value: "PATH", repeat: true, complete: "file",
    what: "Also serve the tools that this script registers, under its name." },
  { name: "plain-names", what: "Serve tools under the names they were registered with, without that of their block." },
  { name: "http", value: "[HOST:]PORT", default: "stdio",
    what: "Serve over HTTP at /mcp; the host is 127.0.0.1 unless it is named. Port 0 takes a free one." },
  { name: "token", value: "TEXT", setting: "MCP_TOKEN", default: "a random one, printed",
    what: "What clients send as Authorization: Bearer. Better as a variable: flags are visible in process lists." },
  { name: "no-token", what: "Ask for no token; only on this machine: any local program may then call the tools." },
  ...ofRun("grant", "grants", "allow-net", "allow-run", "allow-read", "allow-write", "allow-env", "allow-mcp",
    "log", "log-format"),
  { name: "log-to", value: "WHERE", setting: "LOG_TO", default: "stderr", complete: "file",
    what: "stderr, none, or a file to append to." },
  ...ofRun("memory"),
  HELP,
];

const MOCK_FLAGS: readonly Flag[] = [
  { name: "port", value: "N", default: "a free one", what: "Port to listen on; always on 127.0.0.1." },
  { name: "record", value: "FILE", complete: "file",
    what: "Pass requests on to --upstream and write them and the answers to a new file, without keys." },
  { name: "upstream", value: "URL",
    what: "Base URL of the real provider: https://api.anthropic.com, https://api.openai.com." },
  { name: "match", value: "HOW", default: "body", complete: ["body", "order"],
    what: "How a recording is replayed: to a request with the same body, or in its order." },
  { name: "lenient", what: "Take what the real services refuse with 400 or 401." },
  { name: "json", what: "Print events as JSON, one a line: listening, request, ended." },
  HELP,
];

const RUN_VARIABLES: readonly Variable[] = [
  { name: "HOME", default: "$HOME/.atoll", what: "Folder of the stores and caches." },
  { name: "KV_PATH", default: "{home}/kv.sqlite", what: "File of std.kv; `:memory:` is private to the run." },
  { name: "SQL_PATH", default: "{home}/db.sqlite", what: "File of std.sql." },
  { name: "TS_PATH", default: "{home}/ts.sqlite", what: "File of std.ts." },
  { name: "SQL_BUSY_TIMEOUT_MS", default: "5000",
    what: "How long a statement waits for another program's lock." },
  { name: "SQL_QUERY_TIMEOUT_MS", default: "5000",
    what: "How long a call of sql, kv or ts may take; 0 = no bound." },
  { name: "SQL_JOURNAL_MODE", default: "WAL",
    what: "WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF; ignored for `:memory:`." },
  { name: "BUS_CAPACITY", default: "64", what: "Events that wait for a handler." },
  { name: "TASK_GRACE_MS", default: "1000", what: "What a task gets to end after a timeout." },
  { name: "TASK_DRIVER", default: "async_fn", what: "async_fn, async or coroutine." },
  { name: "TRACE_ID", default: "empty", what: "Trace that the run belongs to. TASK_ID is its old name." },
  { name: "RUN_ID", default: "empty", what: "Id of the run in logs and headers." },
  { name: "AGENT_ID", default: "mesh id, else random", what: "Id of the agent in logs and headers." },
  { name: "AGENT_NAME", default: "empty", what: "Name of the agent in logs and headers." },
  { name: "LLM_DUMP", default: "off", what: "off, none, meta or full: what of model calls is logged." },
  { name: "ENV", default: "empty", what: "prod or production lowers LLM_DUMP=full to meta." },
  { name: "LLM_DUMP_ALLOW_PROD", default: "off", what: "Allows LLM_DUMP=full in production." },
  { name: "DEBUG_RAW", default: "off", what: "Logs raw model traffic." },
  { name: "NO_COLOR", bare: true, default: "empty", what: "Anything: no colours, also on a terminal." },
];

export const RUN_EXITS = [
  ["0", "the script returned, whatever its value"],
  ["N", "the script called os.exit(N)"],
  ["1", "the script or the run failed"],
  ["2", "wrong flags, settings or files of settings"],
  ["70", "an isle crashed, or a bug in Atoll"],
  ["124", "a limit was reached: time, memory, output"],
  ["128+n", "ended by signal n: 130 SIGINT, 143 SIGTERM, 129 SIGHUP"],
] as const;

const BLOCK_COMMANDS: readonly Command[] = [
  {
    name: "run", usage: "[FLAGS] SCRIPT [-- ARGS…]", what: "Run an agent script.",
    flags: RUN_FLAGS, variables: RUN_VARIABLES, exits: RUN_EXITS, complete: "file",
    examples: [
      ["atoll run agent.lua", "run a script with everything this user may do"],
      ["atoll run agent.lua -- report.md 2026", "give it arguments: `arg[1]`, `arg[2]`"],
      ["atoll run -s agent.lua -p ~/project --prompt 'Say hello'", "with a project folder and a prompt"],
      ["atoll run agent.lua --allow-net=api.example.com --allow-read=./data", "with nothing else allowed"],
      ["atoll run agent.lua --timeout 60 --memory 128 --result result.json",
        "with bounds, and its result as JSON"],
      ["echo 'print(1 + 1)' | atoll run -", "a script from standard input"],
    ],
  },
  {
    name: "doctor", usage: "[FLAGS]", what: "Check this machine: versions, disk, home, grants, secrets.",
    flags: [
      { name: "json", what: "Print the findings as JSON." },
      { name: "grants", value: "FILE", setting: "GRANTS", complete: "file",
        what: "Also check a list of grants." },
      HELP,
    ],
    examples: [
      ["atoll doctor", "what works, what is missing, and how to get it"],
      ["atoll doctor --grants grants.toml --json", "with a grants file, for a program to read"],
    ],
    exits: [["0", "nothing is missing"], ["1", "something is missing or broken"], ["2", "wrong flags"]],
  },
  {
    name: "mcp", usage: "[FLAGS] [DIR]", complete: "folder",
    what: "Serve the tools of a project's blocks, and its docs, to MCP clients.",
    flags: MCP_FLAGS,
    examples: [
      ["atoll mcp ~/project", "over standard input and output, as a client starts it"],
      ["atoll mcp -s tools.lua --allow-net=api.example.com", "the tools of a script, which may reach one host"],
      ["ATOLL_MCP_TOKEN=… atoll mcp --http 8080 ~/project", "over HTTP, for clients on this machine"],
    ],
    exits: [["0", "the client went away, or SIGINT, SIGTERM, SIGHUP"], ["1", "it could not start"],
      ["2", "wrong flags or settings"]],
  },
  {
    name: "mock-model", usage: "[FLAGS] FILE", complete: "file",
    what: "Answer as a model would: Anthropic Messages and OpenAI Chat Completions, scripted.",
    flags: MOCK_FLAGS,
    examples: [
      ["atoll mock-model turns.json --port 4010", "answer from a script; docs/mock-model.md describes it"],
      ["ANTHROPIC_BASE_URL=http://127.0.0.1:4010 ANTHROPIC_API_KEY=x atoll run agent.lua",
        "an agent that asks it, in another terminal"],
      ["atoll mock-model --record run.jsonl --upstream https://api.anthropic.com",
        "stand before a real provider and record; keys are not written"],
      ["atoll mock-model run.jsonl", "replay the recording"],
    ],
    exits: [["0", "ended by SIGINT, SIGTERM or SIGHUP"], ["1", "the port is taken, or a file cannot be used"],
      ["2", "wrong flags, script or recording"]],
  },
  {
    name: "completion", usage: "bash|zsh|fish", what: "Print a completion script for a shell.",
    flags: [HELP], complete: ["bash", "zsh", "fish"],
    examples: [
      ["source <(atoll completion bash)", "for this shell; put it into ~/.bashrc for all"],
      ["atoll completion zsh > ~/.zfunc/_atoll", "for a folder in zsh's fpath"],
      ["atoll completion fish > ~/.config/fish/completions/atoll.fish", "for fish"],
    ],
    exits: [["0", "printed"], ["2", "wrong flags, or a shell it does not know"]],
  },
];

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [...BLOCK_COMMANDS.slice(0, 1), ...NODE_COMMANDS, ...MOB_COMMANDS, ...BLOCK_COMMANDS.slice(1)];

export function commandOf(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
