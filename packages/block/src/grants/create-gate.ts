/**
 * The gate of one block. takes the grants of the block and its folders; gives yes or the error of a refusal;
 * promises one text for one refusal in every bridge, and one call of `onDenied` for each; refuses what no
 * grant names; never acts itself.
 */
import { resolve } from "node:path";
import { hostText, readAddress } from "./addresses.ts";
import { type Denied, deniedError, type GrantVerb } from "./denied.ts";
import type { GrantGate, NetRule } from "./gate.ts";
import { createNetGrant, type NetGrant, plainHost, portOf } from "./net.ts";
import { compilePath, type PathPattern, realEntryOf, realOf, type RealPath } from "./paths.ts";
import type { Grants } from "./parse.ts";

export interface GateParts {
  readonly grants: "all" | Grants;
  /** With grants `all`: secrets that children may inherit (`--grant secret:…` restricts nothing). */
  readonly secrets?: readonly string[];
  /** Where relative patterns begin. Absolute. */
  readonly projectRoot: string;
  /** Where relative paths of the script begin. Absolute. */
  readonly cwd: string;
  /** Hears each refusal; must not throw. A hidden variable is told once. */
  readonly onDenied?: (denial: Denied) => void;
}

/** The gate as the whole block sees it; bridges take the parts of `GrantGate`. */
export interface Gate extends GrantGate {
  /**
   * May this tool of this server be called? `""` asks whether anything of it may be used, `*` for what is not
   * one tool: resources, prompts. Throws grant.denied.
   */
  mcp(server: string, tool: string): void;
  /** True when the grants keep a server from asking for this. */
  mcpWithholds(server: string, what: string): boolean;
}

/** One list of grants, ready to be asked. */
interface Layer {
  readonly grants: Grants;
  readonly net: NetGrant;
  readonly read: readonly PathPattern[];
  readonly write: readonly PathPattern[];
}

/** Makes the gate; reads the disc to make the roots of path grants real. */
export function createGate(parts: GateParts): Gate {
  const { grants } = parts;
  return grants === "all" ? openGate(parts) : restrictedGate(parts, layersOf(grants, parts.projectRoot));
}

function layersOf(grants: Grants, root: string): Layer[] {
  const write = grants.write.map((text) => compilePath(text, root));
  const read = grants.read.map((text) => compilePath(text, root));
  const layer: Layer = { grants, net: createNetGrant(grants.net), read: [...read, ...write], write };
  return grants.within === undefined ? [layer] : [layer, ...layersOf(grants.within, root)];
}

function openGate(parts: GateParts): Gate {
  const anyAddress: NetRule = { address: () => undefined };
  return {
    restricted: false,
    run: () => undefined,
    path: (_verb, path) => Promise.resolve(resolve(parts.cwd, path)),
    url: () => anyAddress,
    env: () => true,
    mesh: () => undefined,
    given: () => undefined,
    mcp: () => undefined,
    mcpWithholds: () => false,
    secret: (name) => parts.secrets?.includes(name) ?? false,
  };
}

function restrictedGate(parts: GateParts, layers: readonly Layer[]): Gate {
  const refuse = (denial: Denied): never => {
    parts.onDenied?.(denial);
    throw deniedError(denial);
  };
  const hidden = new Set<string>();
  return {
    restricted: true,
    run(executable, detach) {
      const program = executable === null || !executable.startsWith("/") ? executable : resolve(executable);
      const denial = judgeRun(layers, program, detach);
      if (denial !== undefined) refuse(denial);
    },
    async path(verb, path) {
      const asked = resolve(parts.cwd, path);
      const found = await (verb === "read" ? realOf(asked) : realEntryOf(asked));
      const covered = (fits: (pattern: PathPattern) => boolean): boolean =>
        layers.every((layer) => layer[verb].some(fits));
      if (!found.dangling && covered((one) => one.covers(found.real))) return found.real;
      // Where a link leads is told only to who may read the link.
      const mayKnow = covered((one) => one.coversWritten(asked));
      return refuse(pathDenial(verb, asked, mayKnow ? found : undefined));
    },
    url: (url) => urlRule(url, layers, refuse),
    env(name) {
      if (layers.every(({ grants }) => grants.env.some((one) => fitsName(one, name)))) return true;
      if (!hidden.has(name) && hidden.size < HIDDEN_NAMES_MAX) {
        hidden.add(name);
        parts.onDenied?.({ verb: "env", object: name, reason: "variable not granted", grant: `env:${name}` });
      }
      return false;
    },
    mesh(to) {
      if (layers.every(({ grants }) => grants.mesh.some((one) => one === undefined || one === to))) return;
      refuse({ verb: "mesh", object: to, reason: "peer not granted", grant: `mesh:${to}` });
    },
    given(bridge, verb) {
      if (layers.every(({ grants }) => grants.given.some((one) => one.bridge === bridge && (one.verb ?? verb) === verb))) return;
      refuse({ verb: bridge as GrantVerb, object: verb, reason: "verb not granted", grant: `${bridge}:${verb}` });
    },
    mcp(server, tool) {
      if (layers.every(({ grants }) => allowsMcp(grants, server, tool))) return;
      const object = `${server}/${tool === "" ? "*" : tool}`;
      const reason = tool === "" ? "server not granted" : "tool not granted";
      refuse({ verb: "mcp", object, reason, grant: `mcp:${object}` });
    },
    mcpWithholds: (server, what) => layers.some(({ grants }) => withholds(grants, server, what)),
    secret: (name) =>
      layers.every(({ grants }) => grants.secret.some((one) => one === undefined || one === name)),
  };
}

/** Names of hidden variables that are remembered so as to be told once. */
const HIDDEN_NAMES_MAX = 10_000;

function fitsName(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined) return true;
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function allowsMcp(grants: Grants, server: string, tool: string): boolean {
  const granted = grants.mcp.filter((one) =>
    (one.server === "*" || one.server === server) && !one.tool.startsWith("!"));
  return tool === "" ? granted.length > 0 : granted.some((one) => one.tool === "*" || one.tool === tool);
}

function withholds(grants: Grants, server: string, what: string): boolean {
  return grants.mcp.some((one) => (one.server === "*" || one.server === server) && one.tool === `!${what}`);
}

function judgeRun(layers: readonly Layer[], program: string | null, detach: boolean): Denied | undefined {
  const wanted = program ?? "sh";
  const allows = (word: string) => ({ grants }: Layer): boolean =>
    grants.run.some((one) => one === undefined || (one.startsWith("/") ? resolve(one) : one) === word);
  const object = program ?? "shell text";
  if (!layers.every(allows(wanted))) {
    const reason = program === null ? "not granted" : "program not granted";
    return { verb: "run", object, reason, grant: `run:${wanted}` };
  }
  if (!detach || layers.every(allows("detach"))) return undefined;
  return { verb: "run", object, reason: "detached, outlives the run", grant: "run:detach" };
}

function pathDenial(
  verb: "read" | "write", asked: string, found: RealPath | undefined,
): Denied {
  const leads = found !== undefined && !found.dangling && found.real !== asked;
  const reason = found?.dangling === true ? "a link on the way leads nowhere"
    : leads ? `leads to ${found.real}, outside the granted paths` : "outside the granted paths";
  return { verb: `fs.${verb}`, object: asked, reason, grant: `fs.${verb}:${leads ? found.real : asked}` };
}

function urlRule(url: URL, layers: readonly Layer[], refuse: (denial: Denied) => never): NetRule {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    const object = `${url.protocol}//${url.host}`;
    refuse({ verb: "net", object, reason: "neither http nor https", grant: undefined });
  }
  const port = portOf(url);
  const host = plainHost(url);
  const literal = readAddress(host);
  for (const { net } of layers) {
    const denial = literal === undefined ? net.name(host, port) : net.address(host, port, false);
    if (denial !== undefined) refuse(denial);
  }
  return {
    address(ip, to) {
      if (literal !== undefined && hostText(literal) === canonicalAddress(ip) && to === port) return;
      for (const { net } of layers) {
        const denial = net.address(ip, to, literal === undefined && to === port);
        if (denial !== undefined) refuse(denial);
      }
    },
  };
}

function canonicalAddress(ip: string): string | undefined {
  const address = readAddress(ip);
  return address === undefined ? undefined : hostText(address);
}
