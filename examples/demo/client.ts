/**
 * What the load needs of a database client. The two sides differ in what stands behind it, and in nothing else.
 */

export interface Rows {
  readonly rows: readonly unknown[];
}

export type Query = (text: string, values: readonly unknown[]) => Promise<Rows>;

export interface Client {
  /** One statement on its own. */
  readonly query: Query;
  /** Several, kept together or not at all. */
  transaction(run: (query: Query) => Promise<void>): Promise<void>;
  /** Whether an error says that the write may have been kept, instead of claiming that it failed. */
  saysUnknown(error: unknown): boolean;
  close(): Promise<void>;
}
