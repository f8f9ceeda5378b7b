export * from "./manual-clock.ts";
export * from "./seeded-ids.ts";
export * from "./until.ts";
export * from "./open-handles.ts";
export * from "./chapters/sql.ts";
