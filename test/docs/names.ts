/** Names that a page may use without saying where they come from. */
import type { Database, Pool } from "@breakwater/core";

declare global {
  /** The pool that a policy is put around. */
  const inner: Pool;
  /** A finished stack. */
  const db: Database;
  /** The address of a server. */
  const url: string;
  /** A token that another process sent. */
  const theirs: string;
  /** What a call was rejected with. */
  const error: unknown;
  /** Sends a call, whatever that is where the page speaks of it. */
  const send: (call: unknown) => void;
  const again: unknown;
}
