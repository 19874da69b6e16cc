/**
 * The least of `@electric-sql/pglite` that the adapter needs, by its shape: an instance, or a worker's face of one.
 */

/** What PGlite answers to one statement. */
export interface PgliteResult {
  readonly rows: readonly unknown[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly affectedRows?: number;
  readonly command?: string;
  readonly rowCount?: number;
}

interface PgliteQueryOptions {
  readonly rowMode?: "array" | "object";
  readonly onNotice?: (notice: never) => void;
}

/** A PGlite. */
export interface PgliteInstance {
  readonly waitReady: Promise<void>;
  readonly closed: boolean;
  query(text: string, values?: never[], options?: PgliteQueryOptions): Promise<PgliteResult>;
  exec(text: string, options?: PgliteQueryOptions): Promise<readonly PgliteResult[]>;
  close(): Promise<void>;
  isInTransaction?(): boolean;
  onNotification?(heard: (channel: string, payload: string) => void): () => void;
}
