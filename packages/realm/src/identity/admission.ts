/**
 * Who may register (spec: node 7.2).
 *
 * takes a registration and what came with it; gives the mode in which it is admitted, and what must be committed with
 * it; promises that a realm without a secret is open to this machine only; refuses who shows nothing good; never
 * guesses a mode: unspecified means package.
 */
import type { ActorType, StateOp } from "@atoll-run/core";
import {
  isFieldSet, RegisterRequest_AuthMode, RegisterRequestSchema, type RegisterRequest,
} from "@atoll-run/core/internal";
import type { Origin } from "../rate/limiter.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import type { Invites } from "./invites.ts";
import type { AuthMode } from "./node-record.ts";
import type { Packages } from "./packages.ts";
import type { RealmRecord, Realms } from "./realms.ts";

export interface Admitted {
  readonly mode: AuthMode;
  readonly ops: readonly StateOp[];
}

export interface AdmissionParts {
  readonly realms: Realms;
  readonly invites: Invites;
  readonly packages: Packages;
}

export interface Applicant {
  readonly request: RegisterRequest;
  readonly realm: RealmRecord;
  readonly type: ActorType;
  readonly secret: string | undefined;
  readonly invite: string | undefined;
  readonly origin: Origin;
}

const PACKAGE_FIELDS = ["manifestRaw", "mfrSignature", "manufacturerAuthSignature", "manufacturerAuthNonce"] as const;

export async function admit(parts: AdmissionParts, applicant: Applicant): Promise<Answer<Admitted>> {
  if (applicant.invite !== undefined) return admitGuest(parts, applicant, applicant.invite);
  if (applicant.request.authMode === RegisterRequest_AuthMode.LINKED) return admitLinked(parts, applicant);
  const use = await parts.packages.admit(applicant.request, applicant.type, applicant.realm.realm);
  return use.ok ? granted({ mode: "package", ops: use.value }) : use;
}

async function admitGuest(
  { invites }: AdmissionParts, { request, realm, type }: Applicant, invite: string,
): Promise<Answer<Admitted>> {
  if (request.keyProof === undefined) {
    return refuse(403, "a guest must prove a key of its own", { why: "proof_required" });
  }
  const use = await invites.use(invite, realm.realm, type);
  return use.ok ? granted({ mode: "guest", ops: [use.value] }) : use;
}

function admitLinked({ realms }: AdmissionParts, { request, realm, secret, origin }: Applicant): Answer<Admitted> {
  if (PACKAGE_FIELDS.some((field) => isFieldSet(request, RegisterRequestSchema.field[field]))) {
    return refuse(400, "a linked node has no manifest");
  }
  if (realm.secret === null) {
    if (origin.loopback) return granted({ mode: "linked", ops: [] });
    return refuse(403, "this realm has no secret yet, so only nodes of its own machine may register");
  }
  if (secret === undefined) return refuse(403, "the realm secret is missing");
  if (!realms.isSecret(realm, secret)) return refuse(403, "the realm secret is wrong");
  return granted({ mode: "linked", ops: [] });
}
