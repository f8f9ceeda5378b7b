/**
 * Packages: who may register as what a manufacturer has signed (spec: node 7.2, wire 8.2).
 *
 * takes a registration with a manifest; gives what must be committed with it; promises that a manifest is either the
 * published one, byte for byte, or signed by a key of its manufacturer whose holder speaks now; refuses anything else;
 * never reads a manifest: what is in it is a matter of nodes.
 */
import { formatType, type ActorType, type Clock, type StateOp } from "@atoll-run/core";
import { verifySignature, type RegisterRequest } from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { audit, fromBase64, put, toBase64, type Records } from "../store/records.ts";
import { useNonce } from "./key-proofs.ts";
import { hashKey } from "./secrets.ts";

interface PackageRecord {
  /** SHA-256 of the manifest, hex. */
  readonly manifest: string;
}

interface ManufacturerRecord {
  /** Public keys, base64. */
  readonly keys: readonly string[];
}

export interface PackagesParts {
  readonly records: Records;
  readonly clock: Clock;
}

const SIGNED_AGE_MS_MAX = 300_000;
const NONCE_BYTES = [16, 32];
const KEY_BYTES = 32;
const KEYS_MAX = 64;
const ENCODER = new TextEncoder();

export class Packages {
  readonly #parts: PackagesParts;
  readonly #limits: RealmLimits["identity"];

  constructor(parts: PackagesParts, limits: RealmLimits["identity"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Takes a manifest as published. */
  async publish(type: ActorType, target: string, manifest: Uint8Array): Promise<void> {
    const record: PackageRecord = { manifest: hashKey(manifest) };
    await this.#parts.records.commit([
      put("packages", packageKey(type, target), record),
      audit("package_published", { type: formatType(type), target, manifest: record.manifest }),
    ]);
  }

  /** Trusts a key of a manufacturer from now on. */
  async trust(manufacturer: string, publicKey: Uint8Array): Promise<Answer<void>> {
    if (publicKey.length !== KEY_BYTES) return refuse(400, `a key has ${KEY_BYTES} bytes`);
    const { records } = this.#parts;
    const found = await records.get<ManufacturerRecord>("packages", manufacturerKey(manufacturer));
    const keys = [...new Set([...found?.value.keys ?? [], toBase64(publicKey)])];
    if (keys.length > KEYS_MAX) return refuse(400, `a manufacturer has at most ${KEYS_MAX} keys`);
    await records.commit([
      put("packages", manufacturerKey(manufacturer), { keys }),
      audit("manufacturer_trusted", { manufacturer, key: toBase64(publicKey) }),
    ]);
    return granted(undefined);
  }

  /** What a registration must bring besides its request. */
  async admit(request: RegisterRequest, type: ActorType, realm: number): Promise<Answer<readonly StateOp[]>> {
    const manifest = request.manifestRaw;
    if (manifest.length === 0) {
      return refuse(403, "a package needs its manifest; to register without one, say linked");
    }
    const published = await this.#parts.records.get<PackageRecord>("packages", packageKey(type, request.target));
    if (published?.value.manifest === hashKey(manifest)) return granted([]);
    return this.#admitSigned(request, type, realm);
  }

  async #admitSigned(request: RegisterRequest, type: ActorType, realm: number): Promise<Answer<readonly StateOp[]>> {
    const { records, clock } = this.#parts;
    const maker = await records.get<ManufacturerRecord>("packages", manufacturerKey(type.manufacturer));
    if (maker === undefined) {
      return refuse(403, "the manifest is not published, and its manufacturer is not known here");
    }
    const nonce = request.manufacturerAuthNonce;
    if (!NONCE_BYTES.includes(nonce.length)) {
      return refuse(400, "the nonce of the manufacturer has 16 or 32 bytes");
    }
    const signedAtMs = Number(request.manufacturerAuthSignedAt) * 1_000;
    const ageMs = clock.now() - signedAtMs;
    if (ageMs > SIGNED_AGE_MS_MAX || ageMs < -this.#limits.skewMs) {
      return refuse(401, "the proof of the manufacturer is old");
    }
    const lines = ENCODER.encode([
      "ACTR-MANUFACTURER-REGISTER-V1", "auth_mode=package", `realm=${realm}`, `actr_type=${formatType(type)}`,
      `target=${request.target}`, `manifest_sha256=${hashKey(request.manifestRaw)}`,
      `manufacturer_auth_signed_at=${request.manufacturerAuthSignedAt}`,
      `manufacturer_auth_nonce=${Buffer.from(nonce).toString("hex")}`,
    ].join("\n"));
    for (const text of maker.value.keys) {
      const key = fromBase64(text);
      const isOwn = await verifySignature(key, request.mfrSignature, request.manifestRaw)
        && await verifySignature(key, request.manufacturerAuthSignature, lines);
      if (isOwn) return granted([useNonce(signedAtMs, key, nonce)]);
    }
    return refuse(403, "no key of the manufacturer has signed this");
  }
}

function packageKey(type: ActorType, target: string): string {
  return `package/${formatType(type)}/${target}`;
}

function manufacturerKey(manufacturer: string): string {
  return `manufacturer/${manufacturer}`;
}
