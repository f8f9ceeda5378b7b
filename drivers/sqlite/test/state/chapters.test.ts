/** The chapters of `StateStore` on SQLite: in a folder, and in memory. */
import { openState } from "@atoll-run/sqlite";
import { stateChapters } from "@atoll-run/testkit";

stateChapters({ name: "SQLite file", open: (dir) => openState({ dir }), supports: { durable: true, shared: false } });
stateChapters({
  name: "SQLite in memory", open: () => openState({ dir: null }), supports: { durable: false, shared: false }, skip: "it is memory",
});
