/** Step 7 of the start: a mesh that the config names by the address of a realm is joined, and left when the run ends. */
import type { Log, Mesh, TraceContext } from "@atoll-run/core";
import type { BlockConfig } from "../config.ts";
import { blockError } from "../errors.ts";
import { secretKeyProblem } from "./secret-key.ts";

/** Joins a mesh through a realm. Throws `mesh.connect_failed`. */
export type OpenRelay = (o: {
  readonly relayUrl: string; readonly secretKey?: string; readonly log?: Log; readonly signal: AbortSignal;
}) => Promise<Mesh & AsyncDisposable>;

/** A config whose mesh is there. */
export interface JoinedConfig extends Omit<BlockConfig, "mesh"> {
  readonly mesh?: Mesh;
  /** Only when the run itself joined it. */
  readonly leaveMesh?: () => Promise<void>;
}

/** An agent without a name of its own is known by that of the mesh it joined. */
export function named<P extends { readonly trace: TraceContext }>(prepared: P, { mesh, leaveMesh }: JoinedConfig): P {
  const { trace } = prepared;
  if (leaveMesh === undefined || mesh === undefined || trace.agent_id !== "") return prepared;
  return { ...prepared, trace: { ...trace, agent_id: mesh.id } };
}

interface Joining {
  readonly open: OpenRelay | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Aborted when the run is over before it began. */
  readonly signal: AbortSignal;
  secret(value: string): void;
}

export async function joinMesh(config: BlockConfig, o: Joining): Promise<JoinedConfig> {
  const { mesh, ...rest } = config;
  if (mesh === undefined) return rest;
  if (!("relayUrl" in mesh)) return { ...rest, mesh };
  if (o.open === undefined) throw blockError("config.invalid", "config error: mesh.relayUrl: this program brings no way to a realm");
  const secretKey = readKey(mesh.secretKey, o.env);
  if (secretKey !== undefined) o.secret(secretKey);
  try {
    const joined = await o.open({
      relayUrl: mesh.relayUrl, signal: o.signal, ...secretKey === undefined ? {} : { secretKey },
      ...config.log === undefined ? {} : { log: config.log },
    });
    return { ...rest, mesh: joined, leaveMesh: async () => joined[Symbol.asyncDispose]() };
  } catch (error) {
    // the run ends as what ended it says
    if (o.signal.aborted) return rest;
    throw error;
  }
}

type Key = Extract<NonNullable<BlockConfig["mesh"]>, { readonly relayUrl: string }>["secretKey"];

function readKey(given: Key, env: Readonly<Record<string, string>>): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "string" && env[given.env] === undefined) {
    throw blockError("config.invalid", `config error: mesh.secretKey: the variable ${given.env} is not set`);
  }
  const key = (typeof given === "string" ? given : env[given.env] ?? "").trim();
  const problem = secretKeyProblem(key);
  if (problem !== undefined) throw blockError("runtime.failed", `runtime error: ${problem}`);
  return key;
}
