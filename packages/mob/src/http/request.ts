/** Bodies and queries of requests. */
import type { IncomingMessage } from "node:http";
import { formatTraceparent, parseTraceparent } from "@atoll-run/core";
import type { z } from "zod";
import { mobError } from "../errors.ts";
import { paramsSchema } from "./openapi.ts";

/** Of whoever asks; what is no `traceparent` is as if it were not there. */
export function traceOf({ headers: { traceparent: given } }: IncomingMessage): string | undefined {
  const read = typeof given === "string" ? parseTraceparent(given) : undefined;
  return read === undefined ? undefined : formatTraceparent(read, read.sampled);
}

/** Throws `mob.too_large`. */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  return (await readBytes(request, bytesMax)).toString("utf8");
}

/** Throws `mob.too_large`. */
export async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw mobError("mob.too_large", `the body has more than ${bytesMax} bytes`, { facts: { limit: bytesMax } });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const TYPES = new WeakMap<z.ZodObject, Readonly<Record<string, string | undefined>>>();

/** Words of a query as they are wanted: numbers, yes and no, lists with commas. What is not known stays as it is, and is refused. */
export function readQuery(query: URLSearchParams, wanted: z.ZodObject): Record<string, unknown> {
  const types = TYPES.get(wanted) ?? typesOf(wanted);
  TYPES.set(wanted, types);
  const params: Record<string, unknown> = {};
  for (const [name, text] of query) {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if ((type === "integer" || type === "number") && text.trim() !== "" && Number.isFinite(Number(text))) params[name] = Number(text);
    else if (type === "boolean" && (text === "true" || text === "false")) params[name] = text === "true";
    else if (type === "array") params[name] = text.split(",");
    else params[name] = text;
  }
  return params;
}

function typesOf(wanted: z.ZodObject): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(paramsSchema({ params: wanted }).properties ?? {}).map(([name, { type }]) => [name, type as string | undefined]));
}

/** Nothing is an empty object. Throws `mob.parse`. */
export function readJson(body: string): object {
  if (body === "") return {};
  try {
    const given: unknown = JSON.parse(body);
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return given;
  } catch {
    // Said below.
  }
  throw mobError("mob.parse", "the body is not a JSON object");
}

/** Params, and those that stand in the path. Throws `mob.invalid_params` where both name another. */
export function withKeys(given: object, keys: Readonly<Record<string, string>>): object {
  const params: Record<string, unknown> = { ...given };
  for (const [path, text] of Object.entries(keys)) {
    const [name = "", inner] = path.split(".");
    const known = params[name];
    const outer = typeof known === "object" && known !== null ? known : {};
    const own = inner === undefined ? known : (outer as Readonly<Record<string, unknown>>)[inner];
    if (own !== undefined && own !== text) throw mobError("mob.invalid_params", `${path}: the path says ${JSON.stringify(text)}`, { facts: { path } });
    params[name] = inner === undefined ? text : { ...outer, [inner]: text };
  }
  return params;
}
