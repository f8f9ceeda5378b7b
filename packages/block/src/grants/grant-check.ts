/**
 * The grants of a block for code that is in none: a host that runs trusted code beside blocks asks here, and is refused in the
 * same words. takes grants and what is to be done; gives nothing; promises what the gate of a block does.
 */
import { blockError } from "../errors.ts";
import { createGate, type GateParts } from "./create-gate.ts";
import { deniedError } from "./denied.ts";
import { parseGrants } from "./parse.ts";

export interface GrantAsk {
  /** `fs.read`, `fs.write`, `run`, `net`, `mesh`, `mob`. */
  readonly grant: string;
  /** A path, a program, a host with its port or a URL, a peer, a function of the mob. */
  readonly object?: string;
}

export type GrantCheck = (ask: GrantAsk) => Promise<void>;

/** Throws `config.invalid` for grants that are none. The check throws `grant.denied`. */
export function createGrantCheck(grants: readonly string[], o: { readonly root: string; readonly onDenied?: GateParts["onDenied"] }): GrantCheck {
  const parsed = parseGrants(grants);
  if (!parsed.ok) throw blockError("config.invalid", parsed.problems.join("; "), { facts: { problems: parsed.problems } });
  const gate = createGate({
    grants: parsed.grants, projectRoot: o.root, cwd: o.root, ...o.onDenied === undefined ? {} : { onDenied: o.onDenied },
  });
  return async ({ grant, object = "" }) => {
    switch (grant) {
      case "fs.read": return void await gate.path("read", object);
      case "fs.write": return void await gate.path("write", object);
      case "run": return gate.run(object === "" ? null : object, false);
      case "mesh": return gate.mesh(object);
      case "mob": return gate.given(grant, object);
      case "net": return void gate.url(URL.parse(object) ?? new URL(`https://${object}`));
      default: {
        const denial = { verb: grant as "run", object, reason: "it is no verb of a grant", grant: undefined };
        o.onDenied?.(denial);
        throw deniedError(denial);
      }
    }
  };
}
