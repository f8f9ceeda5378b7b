// Pure parts, for tests and for sister packages.
export { createSerials } from "./identity/serials.ts";
export { offers } from "./signaling/roles.ts";
export { rank, type RankingQuery } from "./registry/ranking.ts";
export { newEntry, type Entry } from "./registry/entry.ts";
export { Turnstile } from "./rate/turnstile.ts";
export { toOrigin } from "./rate/limiter.ts";
