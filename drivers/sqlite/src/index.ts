export {
  createSqlPool, openSqlDatabase, type SqlOptions, type SqlPool, type SqlPoolOptions,
} from "./sql-open.ts";
export { openStores, type StoreOptions, type Stores } from "./stores.ts";
export { openState, type StateOptions } from "./state/open-state.ts";
