import type { Mysql2Client } from "./types.ts";

/** What one connection is made with. */
export interface Mysql2ConnectionOptions {
  /** The pool's name, for errors. */
  readonly name: string;
  /** Whether values travel beside the text, by prepared statements, and are not written into it. */
  readonly prepare: boolean;
  /** Whether it keeps no process alive while nobody holds it. */
  readonly background: boolean;
  /** Opens a second connection to the same server. */
  readonly beside: () => Mysql2Client;
}
