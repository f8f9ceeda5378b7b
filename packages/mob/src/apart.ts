/** What outlives whoever has asked for it. */
import { AsyncLocalStorage } from "node:async_hooks";

/** Does it as if nobody had: a span that happens to be open where it is begun is not the one that all it does later is a part of. */
export const apart: <T>(work: () => T) => T = AsyncLocalStorage.snapshot();
