/** Breakwater pools on mysql2, for MySQL and MariaDB. */
export type { Mysql2Source } from "./config.ts";
export { fromMysql2, type FromMysql2Options } from "./from-mysql2.ts";
export type { Mysql2Result } from "./result.ts";
export type { Mysql2Config } from "./types.ts";
