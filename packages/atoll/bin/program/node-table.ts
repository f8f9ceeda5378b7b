/** The commands of nodes and realms (spec: node 10.2). */
import { type Command, type Flag, HELP } from "./declaration.ts";

const JSON_FLAG: Flag = { name: "json", what: "Print JSON: one value, or one a line for what goes on." };
const CONFIG: Flag = {
  name: "config", short: "c", value: "FILE", default: "atoll.toml, when it is there", complete: "file",
  what: "The deployment: sections node, state, realm, listen, mailbox, routes, acl and more.",
};
const OF_REALM: Flag = { name: "config", short: "c", value: "FILE", complete: "file", what: "A file whose state.dir is meant." };
const STATE: Flag = {
  name: "state", value: "DIR", setting: "STATE_DIR", default: ".atoll", complete: "folder",
  what: "Where everything durable lives.",
};
const DEADLINE: Flag = { name: "deadline", value: "SECS", default: "30", what: "How long it may take, fractions allowed." };
const LOG: Flag = {
  name: "log", value: "LEVEL", setting: "LOG", default: "info",
  complete: ["off", "error", "warn", "info", "debug", "trace"], what: "What is logged, as in atoll run.",
};
const COMMON = [JSON_FLAG, CONFIG, STATE, DEADLINE] as const;

const REALM: readonly Flag[] = [
  { name: "realm", value: "URL", setting: "REALM_URL", what: "The realm, such as http://127.0.0.1:8081." },
  { name: "realm-id", value: "N", setting: "REALM_ID", what: "Its number." },
  {
    name: "secret-file", value: "FILE", setting: "REALM_SECRET_FILE", complete: "file",
    what: "File that holds the secret of the realm; the variable named by realm.secret_env holds it too.",
  },
];

const EXITS = [
  ["0", "done"], ["1", "failed"], ["2", "wrong flags or settings"], ["3", "no such node, row, letter or key"],
  ["4", "denied"], ["5", "out of time"], ["6", "unavailable"], ["7", "rejected, or in conflict"], ["70", "an internal error: a handler that failed with an exception, or a bug in Atoll"],
] as const;
const LASTING_EXITS = [...EXITS, ["128+n", "ended by signal n after an orderly end had begun"]] as const;

const FILTERS: readonly Flag[] = [
  { name: "reason", value: "WORD", what: "Only letters with this reason, such as handler_failed or expired." },
  { name: "route", value: "ROUTE", what: "Only this route." },
  { name: "sender", value: "ID", what: "Only from this sender." },
  { name: "trace", value: "ID", what: "Only of this trace." },
  { name: "since", value: "TIME", what: "Only younger than this: 15m, 2h, 7d." },
  { name: "limit", value: "N", default: "100", what: "At most so many." },
];

export const NODE_COMMANDS: readonly Command[] = [
  {
    name: "realm", usage: "VERB [FLAGS]", what: "The control plane of nodes: identity, signaling, discovery.",
    verbs: [
      ["up", "Run a realm in the foreground; prints its url, its id and a sample of atoll.toml."],
      ["status", "What it counts."], ["nodes", "The nodes it knows."],
      ["revoke NODE", "Refuse a node's credentials from now on."],
      ["secret rotate", "A new secret; the old one is good for four hours more."],
      ["invite TYPE", "A token with which a guest registers itself."],
      ["acl NODE", "The rules of a node."], ["audit", "The last changes."],
    ],
    flags: [
      { name: "listen", value: "[HOST:]PORT", default: "127.0.0.1:8081", what: "Where nodes register and signal." },
      { name: "admin", value: "[HOST:]PORT", default: "127.0.0.1:8082", what: "Where the other verbs reach it." },
      { name: "admin-url", value: "URL", default: "http://127.0.0.1:8082", what: "The realm that a verb asks." },
      { name: "memory", what: "Keep nothing on the disk." },
      { name: "uses", value: "N", default: "1", what: "How often an invite may be used." },
      { name: "ttl", value: "TIME", default: "1h", what: "How long an invite is good, at most an hour." },
      JSON_FLAG, OF_REALM, STATE, DEADLINE, LOG, HELP,
    ],
    examples: [
      ["atoll realm up", "a realm on this machine, with its data in ./.atoll"],
      ["atoll realm nodes --json", "who is registered there, from another terminal"],
      ["atoll realm revoke 1a2b3c@1/acme:echo:1.0.0", "lock a node out; its lanes close within seconds"],
    ],
    exits: LASTING_EXITS,
  },
  {
    name: "node", usage: "VERB [FLAGS]", complete: "file",
    what: "One addressed actor: run it, call it, look at it.",
    verbs: [
      ["up [FILE]", "Run the node of an atoll.toml in the foreground; its entry is a TypeScript service or a script."],
      ["call TO ROUTE [JSON]", "Ask, and print the answer."], ["tell TO ROUTE [JSON]", "Say, and wait until it is accepted."],
      ["ls TYPE", "The nodes of a type that may be reached."],
      ["status", "Health of the running node."], ["drain", "End the running node in order, and print its report."],
    ],
    flags: [...COMMON, ...REALM, LOG,
      { name: "request-id", value: "ID", what: "Idempotency key of a call or tell." },
      HELP],
    examples: [
      ["atoll node up", "run what ./atoll.toml describes"],
      ["atoll node call acme:bank:1.0.0 bank.Bank.Charge '{\"account\":\"a\",\"amount\":3}'", "ask any node of a type"],
      ["atoll node status --json", "health of the node in ./.atoll"],
    ],
    exits: LASTING_EXITS,
  },
  {
    name: "mailbox", usage: "VERB [FLAGS]", what: "What a node has accepted and not finished.",
    verbs: [
      ["ls", "Rows with age, key, attempts and lease."], ["show SEQ", "One row with its body."],
      ["release SEQ", "Let a row run now, whatever it waits for."], ["drop SEQ", "Give a row up: it becomes a dead letter."],
    ],
    flags: [...COMMON, { name: "node", value: "NAME", what: "Local name of the node, when the folder holds several." },
      { name: "limit", value: "N", default: "100", what: "At most so many." }, HELP],
    examples: [
      ["atoll mailbox ls", "the backlog of the node in ./.atoll, running or not"],
      ["atoll mailbox release 42", "do not wait for the next attempt"],
    ],
    exits: EXITS,
  },
  {
    name: "dlq", usage: "VERB [FLAGS]", what: "Dead letters: what a node could not deliver.",
    verbs: [
      ["list", "Letters with reason, route, sender and age."], ["show SEQ", "One letter with all that is known."],
      ["stats", "How many for each reason."], ["redrive [SEQ…]", "Handle letters once more: those named, or those of the filter."],
      ["purge [SEQ…]", "Forget letters: those named, or those of the filter."],
    ],
    flags: [...COMMON, { name: "node", value: "NAME", what: "Local name of the node, when the folder holds several." },
      ...FILTERS,
      { name: "raw", what: "With show: only the bytes, as they came." },
      { name: "dry-run", what: "Say what would be done." },
      { name: "rate", value: "N", default: "none", what: "Redrive at most so many a second." }, HELP],
    examples: [
      ["atoll dlq list --reason handler_failed", "what handlers could not finish"],
      ["atoll dlq redrive --route bank.Bank.Charge --rate 10", "after the fix, slowly"],
      ["atoll dlq show 7 --raw > message.bin", "the message itself"],
    ],
    exits: EXITS,
  },
  {
    name: "keys", usage: "VERB [FLAGS]", what: "Keys of nodes and of a realm.",
    verbs: [
      ["show", "Public key of the node in the folder."], ["list", "Keys of the realm and their states."],
      ["rotate", "A new signing key for the realm; the old one verifies until its last credential is over."],
      ["revoke NODE", "As atoll realm revoke."],
    ],
    flags: [
      { name: "admin-url", value: "URL", default: "http://127.0.0.1:8082", what: "The realm that a verb asks." },
      ...COMMON, { name: "node", value: "NAME", what: "Local name of the node, when the folder holds several." }, HELP,
    ],
    examples: [["atoll keys show", "which key proves the node of ./.atoll"], ["atoll keys rotate", "sign with a new key from now on"]],
    exits: EXITS,
  },
];
