/** Mobs over HTTP: `@atoll-run/atoll/client`. Needs no mob here, and runs in a browser too. */
export * from "@atoll-run/client";
