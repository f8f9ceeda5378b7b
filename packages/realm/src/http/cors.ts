/** Web pages of other origins: only those that the operator has listed (spec: node 7.1). */
import { emptyAnswer, type HttpAnswer, type HttpAsk } from "./message.ts";

const ALLOWED_HEADERS = "content-type, x-actrix-realm-secret, x-atoll-invite";
const PREFLIGHT_SECONDS = "600";

export async function withCors(
  ask: HttpAsk, origins: ReadonlySet<string>, handle: (ask: HttpAsk) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const origin = ask.headers["origin"];
  if (origin === undefined) return handle(ask);
  // A browser sends some requests without asking first, so one that is not listed is refused, not only kept from reading.
  if (!origins.has(origin)) return emptyAnswer(403, { vary: "origin" });
  const headers = { "access-control-allow-origin": origin, vary: "origin" };
  if (ask.method === "OPTIONS") {
    return emptyAnswer(204, {
      ...headers, "access-control-allow-methods": "GET, POST", "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": PREFLIGHT_SECONDS,
    });
  }
  const answer = await handle(ask);
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
