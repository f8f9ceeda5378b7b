/** The command of mobs (spec: mob 1). */
import { type Command, type Flag, HELP } from "./declaration.ts";

const UP: readonly Flag[] = [
  { name: "port", verbs: ["up"], value: "N", default: "7411", what: "Where up serves HTTP, on this machine only; 0 = any free one." },
  { name: "config", verbs: ["up"], short: "c", value: "FILE", default: "atoll.toml, when it is there", complete: "file",
    what: "The deployment of up: sections state, http, log, and for its own node realm, listen, acl." },
  { name: "log", value: "LEVEL", setting: "LOG", default: "info", complete: ["off", "error", "warn", "info", "debug", "trace"],
    what: "What is logged, as in atoll run." },
];

const DEMO: readonly Flag[] = [
  { name: "yes", verbs: ["demo"], what: "With demo: approve what it asks, as principal local; without a terminal it does so too." },
  { name: "out", verbs: ["demo"], value: "DIR", default: "atoll-audit", complete: "folder", what: "With demo: where it writes its report." },
];

const ASKING: readonly Flag[] = [
  { name: "url", value: "URL", default: "that of the folder of the state", what: "The mob that is asked, elsewhere than here; needs --token-file." },
  { name: "token-file", value: "FILE", default: "http.token in the folder of the state", complete: "file", what: "File that holds the token." },
  { name: "deadline", value: "SECS", default: "30", what: "How long it may take, fractions allowed; demo, up and tail have none." },
  { name: "wait", verbs: ["send", "flow"], what: "With send and flow run: wait for the end, and print the output." },
  { name: "key", verbs: ["send", "flow"], value: "TEXT", what: "With send and flow run: what is sent again under the same key is done once." },
  { name: "conversation", verbs: ["send"], value: "ID", what: "With send: turns of one conversation run one at a time." },
  { name: "as-json", verbs: ["send"], what: "With send: TEXT is JSON." },
  { name: "params", verbs: ["flow"], value: "JSON", default: "{}", what: "With flow run: what the flow is given." },
  { name: "after", verbs: ["tail"], value: "CURSOR", what: "With tail: what comes after it; 0 = from the oldest on. Without it the newest 20 entries." },
  { name: "follow", verbs: ["tail"], short: "f", what: "With tail: go on with what happens, over restarts of the connection." },
  { name: "member", verbs: ["tail"], value: "ID", what: "With tail: only of this member." },
  { name: "topics", verbs: ["tail"], value: "LIST", default: "entries",
    what: "With tail --follow: only these, from now on unless --after says otherwise: structural, turns, approvals, errors, roster, run:ID, member:ID (comma between)." },
  { name: "reject", verbs: ["approve"], what: "With approve: reject it." },
  { name: "release", verbs: ["approve"], what: "With approve: make the call of a draft after all." },
  { name: "reason", verbs: ["approve"], value: "TEXT", what: "With approve: why." },
  { name: "dry-run", verbs: ["reconcile", "reload"], what: "With reconcile and reload: only say what would change." },
  { name: "force", verbs: ["reconcile", "reload"], what: "With reconcile and reload: retire also more than a fifth of the members." },
  { name: "revision", verbs: ["reconcile", "reload"], value: "N", what: "With reconcile and reload: only if nothing has changed since the plan that told this revision." },
];

export const MOB_COMMANDS: readonly Command[] = [
  {
    name: "mob", usage: "VERB [FLAGS]", complete: "file", what: "Fleets of members that work, wait for approvals, and go on after a kill.",
    verbs: [
      ["demo [DIR]", "Audit the packages installed in DIR: a scout, four auditors, and an editor that asks before it writes."],
      ["up [FILE]", "Run the mob of a mob.toml in the foreground, and serve it over HTTP on this machine."],
      ["down", "End the running mob in order, and say how it ended; its roster and mail stay. With --json the report."],
      ["status", "What it does, and its members."],
      ["send MEMBER TEXT", "Give a turn to a member that is open to the outside, or to @PROFILE."],
      ["tail", "What has happened, an entry a line."],
      ["approve [ID]", "Approve what a member asks for, or reject it; without ID, what waits for a decision."],
      ["flow run NAME", "Begin a run of a flow."],
      ["diff", "What a pass of reconcile would change."], ["reconcile", "Make the mob what its definition says."],
      ["reload", "Read mob.toml and the files it names anew, and make the mob so; what is wrong is told, and nothing changes."],
      ["verify", "Fold the ledger anew and compare it with what stands beside it; also of a mob that does not run, named with --state."],
      ["call METHOD [JSON]", "Any method of the mob, with its params."],
    ],
    flags: [
      { name: "state", value: "DIR", setting: "STATE_DIR", default: ".atoll/<mob>", complete: "folder",
        what: "Where everything durable of the mob lives; without it verbs ask the one that runs in ./.atoll." },
      ...UP, ...DEMO, ...ASKING,
      { name: "json", what: "Print JSON: one value, or one a line for what goes on." },
      HELP,
    ],
    examples: [
      ["atoll mob demo", "audit ./node_modules; killed and started again, it goes on"],
      ["atoll mob up", "run what ./mob.toml describes; killed and started again, it goes on"],
      ["atoll mob send scout 'src' --wait", "ask a member, from another terminal"],
      ["atoll mob flow run audit --params '{\"root\":\"src\"}' --wait --deadline 600", "a run of a flow, and its output"],
      ["atoll mob approve", "what waits for a decision"],
      ["atoll mob tail --follow --topics turns,approvals --json", "what happens from now on, for a program to read"],
      ["atoll mob reload --dry-run", "what an edited mob.toml would change; without the flag it does"],
      ["atoll mob reconcile --revision 41", "a pass, unless something has changed since the plan of revision 41"],
      ["atoll mob verify --state .atoll/audit", "what is wrong with the state of a mob that does not start"],
      ["atoll mob call members/retire '{\"member\":\"scout\"}'", "a method that has no verb of its own"],
    ],
    exits: [
      ["0", "done; with up also: ended in order by one signal"], ["1", "failed: also a turn or a run that was waited for, and a state that is not whole"], ["2", "wrong flags, settings or definition"],
      ["3", "no such member, approval or flow"], ["4", "denied"], ["5", "out of time"],
      ["6", "unavailable: nobody answers, or another process has the folder of the state"], ["7", "rejected, or in conflict"], ["70", "a bug in Atoll"],
      ["75", "ended with approvals that nobody has decided: what they ask for is not done, and stays a draft"],
      ["128+n", "ended by signal n: the second hurries the end, the third breaks it off; so does the first while it starts, and for demo"],
    ],
  },
];
