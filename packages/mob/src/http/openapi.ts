/** OpenAPI 3.1 of the method table (spec: mob 11.1): exact params, and results by the names of their shapes. */
import { z } from "zod";
import { DEADLINE, hasOwnDeadline } from "./in-time.ts";
import type { Method } from "./method.ts";
import { METHODS, routeOf, type Route } from "./table.ts";

export type Schema = Readonly<Record<string, unknown>> & {
  readonly properties?: Readonly<Record<string, Schema>>; readonly required?: readonly string[];
};

const COMPONENTS = "#/components/schemas/";

export function toOpenApi(version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  const shapes: Record<string, Schema> = { Error: ERROR };
  for (const one of METHODS) {
    const { verb, path } = routeOf(one);
    const full = `/v1${path}`;
    paths[full] = { ...paths[full], [verb.toLowerCase()]: toOperation(one, { verb, path }, shapes) };
  }
  return {
    openapi: "3.1.0", info: { title: "Atoll mob", version }, paths, security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } }, schemas: shapes },
  };
}

/** JSON schema of the params as they are sent. */
export function paramsSchema({ params }: Pick<Method, "params">): Schema {
  return toSchema(params, {});
}

/** Shapes that have a name are put into `shapes` and referred to there. What may be added later is no error: no extra keys are forbidden. */
export function resultSchema({ result }: Method, shapes: Record<string, Schema>): Schema {
  return toSchema(result, shapes);
}

function toOperation(one: Method, { verb, path }: Route, shapes: Record<string, Schema>): Readonly<Record<string, unknown>> {
  const { properties = {}, required = [] } = toSchema(one.params, shapes);
  const rest = Object.entries(properties).filter(([name]) => !one.keys.includes(name));
  const inPath = [...path.matchAll(/\{([\w.]+)\}/g)].map(([, name = ""]) => ({ name, in: "path", required: true, schema: properties[name] ?? { type: "string" } }));
  const inQuery = verb === "GET" ? rest.map(([name, of]) => ({ name, in: "query", required: required.includes(name), schema: of })) : [];
  const body = verb === "GET" || rest.length === 0 ? {} : {
    requestBody: { required: required.some((name) => !one.keys.includes(name)), content: { ...inJson({
      type: "object", properties: Object.fromEntries(rest), required: required.filter((name) => !one.keys.includes(name)), additionalProperties: false,
    }), ...one.bytes === "in" ? FORM : {} } },
  };
  return {
    operationId: `mob/${one.name}`, summary: one.summary, parameters: [...inPath, ...inQuery, ...verb === "GET" && hasOwnDeadline(one) ? [] : [DEADLINE_PARAMETER]], ...body,
    responses: {
      200: { description: "Done", content: one.bytes === "out" ? BYTES : inJson(resultSchema(one, shapes)) },
      default: { description: "An error", content: inJson({ $ref: `${COMPONENTS}Error` }) },
    },
    ...one.action === null ? {} : { "x-atoll-action": one.action },
  };
}

const DEADLINE_PARAMETER = { name: DEADLINE, in: "query", required: false, description: "Milliseconds that the request may take.", schema: { type: "integer", minimum: 1 } } as const;

const BYTES = { "*/*": { schema: { type: "string", format: "binary" } } } as const;
const FORM = { "multipart/form-data": { schema: { type: "object", required: ["file"], properties: { file: BYTES["*/*"].schema } } } } as const;

function inJson(schema: Schema): Readonly<Record<string, unknown>> {
  return { "application/json": { schema } };
}

const ERROR: Schema = { type: "object", required: ["error"], properties: { error: {
  type: "object", required: ["code", "message", "data"],
  properties: { code: { type: "integer" }, message: { type: "string" }, data: { type: "object", required: ["code", "facts", "retry"], properties: {
    code: { type: "string" }, facts: { type: "object" }, retry: { enum: ["never", "later", "elsewhere"] }, uncertain: { type: "boolean" },
    retry_after_ms: { type: "number" }, hint: { type: "string" },
  } } },
} } };

function toSchema(type: z.ZodType, shapes: Record<string, Schema>): Schema {
  const { $schema: _, $defs = {}, id: __, ...schema } = z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
  for (const [name, { id: ___, ...shape }] of Object.entries($defs as Readonly<Record<string, Record<string, unknown>>>)) {
    if (!isNameless(name)) shapes[name] = refer(shape) as Schema;
  }
  return refer(schema) as Schema;
}

/** References of one schema as those of the contract. */
function refer(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if (Array.isArray(part)) return part.map(refer);
  const { $ref } = part as { readonly $ref?: unknown };
  const [, name] = typeof $ref === "string" ? /^#\/\$defs\/(.+)$/.exec($ref) ?? [] : [];
  // The only shape that speaks of itself is JSON: anything.
  if (name !== undefined) return isNameless(name) ? {} : { $ref: `${COMPONENTS}${name}` };
  return Object.fromEntries(Object.entries(part).filter(([, value]) => !isNoBound(value)).map(([key, value]) => [key, refer(value)]));
}

/** What a whole number is at most anyway. */
function isNoBound(value: unknown): boolean {
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER;
}

function isNameless(name: string): boolean {
  return name.startsWith("__schema");
}
