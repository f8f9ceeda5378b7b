/** The memory driver of `StateStore` passes the chapters of its port. */
import { memoryState, stateChapters } from "@atoll-run/testkit";

stateChapters({
  name: "memory", open: async () => memoryState(), supports: { durable: false, shared: false }, skip: "it is memory",
});
