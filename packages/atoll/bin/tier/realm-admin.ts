/** Asks the admin door of a realm; the token comes from the folder of the realm. */
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { Fault } from "@atoll-run/core";
import { nodeError, type NodeCode } from "@atoll-run/core";
import { stateDir } from "./deployment.ts";
import { misuse, type VerbCall } from "./verb.ts";

export interface AdminAsk {
  readonly method?: "GET" | "POST" | "PUT";
  readonly name: string;
  /** Query of a GET, body of the others. */
  readonly fields?: Readonly<Record<string, string | number | undefined>>;
}

const DEFAULT_URL = "http://127.0.0.1:8082";
const CODES: Readonly<Record<number, NodeCode>> = {
  400: "node.invalid_argument", 401: "node.permission_denied", 403: "node.permission_denied", 404: "node.not_found",
  429: "node.overloaded",
};

/** Throws `node.unavailable` when nobody answers, `node.permission_denied` for a wrong token, and what the realm says. */
export async function askRealm<T>(call: VerbCall, { method = "GET", name, fields = {} }: AdminAsk): Promise<T> {
  const base = (call.flag("admin-url")?.text ?? DEFAULT_URL).replace(/\/+$/, "");
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const query = method === "GET" ? `?${new URLSearchParams(Object.fromEntries(given.map(([key, value]) => [key, String(value)]))).toString()}` : "";
  if (!URL.canParse(base)) throw misuse("--admin-url", `'${base}' is not a URL`);
  let response: Response;
  try {
    response = await fetch(`${base}/admin/v1/${name}${query}`, {
      method, headers: { authorization: `Bearer ${token(call)}` }, signal: call.signal,
      ...method === "GET" ? {} : { body: JSON.stringify(Object.fromEntries(given)) },
    });
  } catch (error) {
    if (call.signal.aborted || error instanceof Fault) throw error;
    throw nodeError("node.unavailable", `no realm answers at ${base}`, {
      cause: error, hint: "Start one with atoll realm up, or name its admin door with --admin-url.",
    });
  }
  const body = await response.json() as T & { readonly error?: { readonly message: string } };
  if (response.ok) return body;
  const text = body.error?.message ?? `status ${response.status}`;
  const hint = response.status === 401 ? { hint: "Name the folder of the realm with --state: http.token lies in it." } : {};
  if (response.status === 409) throw new Fault({ code: "realm.conflict", text, retry: "later" });
  throw nodeError(CODES[response.status] ?? "node.unavailable", text, hint);
}

function token(call: VerbCall): string {
  const path = join(stateDir(call), "http.token");
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw nodeError("node.permission_denied", `the token of the realm cannot be read: ${path}`, {
      cause: error, hint: "Name the folder of the realm with --state.",
    });
  }
}
