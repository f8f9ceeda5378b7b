/** OpenAPI 3.1 of the method table (spec: mob 11.1). Params are exact; results are objects that the reference describes. */
import { z } from "zod";
import type { Method } from "./method.ts";
import { METHODS, routeOf } from "./table.ts";

type Schema = Readonly<Record<string, unknown>> & { readonly properties?: Readonly<Record<string, Schema>>; readonly required?: readonly string[] };

export function toOpenApi(version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of METHODS) {
    const { verb, path } = routeOf(one);
    const full = `/v1${path}`;
    paths[full] = { ...paths[full], [verb.toLowerCase()]: toOperation(one, verb) };
  }
  return {
    openapi: "3.1.0", info: { title: "Atoll mob", version }, paths, security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Error: { type: "object", required: ["error"], properties: { error: {
        type: "object", required: ["code", "message", "data"], properties: { code: { type: "integer" }, message: { type: "string" }, data: { type: "object" } },
      } } } },
    },
  };
}

/** JSON schema of the params as they are sent. */
export function paramsSchema({ params }: Method): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(params, { io: "input", unrepresentable: "any" });
  return schema as Schema;
}

function toOperation(one: Method, verb: string): Readonly<Record<string, unknown>> {
  const schema = paramsSchema(one);
  const { properties = {}, required = [] } = schema;
  const rest = Object.entries(properties).filter(([name]) => !one.keys.includes(name));
  const inPath = one.keys.map((name) => ({ name, in: "path", required: true, schema: properties[name] ?? { type: "string" } }));
  const inQuery = verb === "GET" ? rest.map(([name, of]) => ({ name, in: "query", required: required.includes(name), schema: of })) : [];
  const body = verb === "GET" || rest.length === 0 ? {} : { requestBody: { required: required.some((name) => !one.keys.includes(name)), content: { "application/json": { schema: {
    type: "object", properties: Object.fromEntries(rest), required: required.filter((name) => !one.keys.includes(name)), additionalProperties: false,
  } } } } };
  const error = { description: "An error", content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } };
  return {
    operationId: `mob/${one.name}`, summary: one.summary, parameters: [...inPath, ...inQuery], ...body,
    responses: { 200: { description: "Done", content: { "application/json": { schema: { type: "object" } } } }, default: error },
    ...one.action === null ? {} : { "x-atoll-action": one.action },
  };
}
