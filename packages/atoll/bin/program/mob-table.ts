/** The command of mobs (spec: mob 1). */
import { type Command, type Flag, HELP } from "./declaration.ts";

const UP: readonly Flag[] = [
  { name: "port", value: "N", default: "7411", what: "Where up serves HTTP, on this machine only; 0 = any free one." },
  { name: "config", short: "c", value: "FILE", default: "atoll.toml, when it is there", complete: "file",
    what: "The deployment of up: sections state and log." },
  { name: "log", value: "LEVEL", setting: "LOG", default: "info", complete: ["off", "error", "warn", "info", "debug", "trace"],
    what: "What is logged, as in atoll run." },
];

export const MOB_COMMANDS: readonly Command[] = [
  {
    name: "mob", usage: "VERB [FLAGS]", complete: "file", what: "Fleets of members that work, wait for approvals, and go on after a kill.",
    verbs: [
      ["up [FILE]", "Run the mob of a mob.toml in the foreground, and serve it over HTTP on this machine."],
    ],
    flags: [
      { name: "state", value: "DIR", setting: "STATE_DIR", default: ".atoll/<mob>", complete: "folder", what: "Where everything durable of the mob lives." },
      ...UP,
      { name: "json", what: "Print JSON: one value, or one a line for what goes on." },
      HELP,
    ],
    examples: [
      ["atoll mob up", "run what ./mob.toml describes; killed and started again, it goes on"],
    ],
    exits: [
      ["0", "done"], ["1", "failed"], ["2", "wrong flags, settings or definition"], ["3", "no such member, approval, flow or method"], ["4", "denied"],
      ["5", "out of time"], ["6", "unavailable: nobody answers, or another process has the folder of the state"], ["7", "rejected, or in conflict"],
      ["70", "a bug in Atoll"], ["75", "ended with approvals that nobody has decided: what they ask for is not done, and stays a draft"],
      ["128+n", "ended by signal n after an orderly end had begun"],
    ],
  },
];
