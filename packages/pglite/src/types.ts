/**
 * The least of `@electric-sql/pglite` that the adapter needs, by its shape: an instance, or a worker's face of one.
 */

/** What PGlite answers to one statement. */
export interface PgliteResult {
  /** One entry for each row: an object, or an array with the `rowMode` of that name. */
  readonly rows: readonly unknown[];
  /** The columns, in order, with the numbers of their types. */
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  /** Rows that were written. */
  readonly affectedRows?: number;
  /** The command as the server names it, where the version of PGlite tells it. */
  readonly command?: string;
  /** Rows that were read or written, where the version of PGlite tells it. */
  readonly rowCount?: number;
  /** What a COPY to its file has written. */
  readonly blob?: Blob;
}

interface PgliteQueryOptions {
  readonly rowMode?: "array" | "object";
  readonly onNotice?: (notice: never) => void;
  /** What a COPY from its file reads. */
  readonly blob?: Blob;
}

/** A PGlite. */
export interface PgliteInstance {
  /** Resolves when the database has started; rejects when it cannot. */
  readonly waitReady: Promise<void>;
  /** Whether it has been closed. */
  readonly closed: boolean;
  /** Runs one statement with its values. */
  query(text: string, values?: never[], options?: PgliteQueryOptions): Promise<PgliteResult>;
  /** Runs a text, which may hold several statements. */
  exec(text: string, options?: PgliteQueryOptions): Promise<readonly PgliteResult[]>;
  /** Ends the database; nothing can be asked of it afterwards. */
  close(): Promise<void>;
  /** Whether a transaction is open. */
  isInTransaction?(): boolean;
  /** Listens to notifications. @returns what ends that. */
  onNotification?(heard: (channel: string, payload: string) => void): () => void;
}
