export { createSqlPool, openSqlDatabase, type SqlOptions, type SqlPool, type SqlPoolOptions } from "./sql-open.ts";
