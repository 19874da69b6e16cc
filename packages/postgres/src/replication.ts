/**
 * What a server says of a commit that no synchronous standby has confirmed.
 */

/** The server's function that waits for the standbys: its name is never translated. */
const ROUTINE = "SyncRepWaitForLSN";

/**
 * Whether a notice says that a transaction is committed on this server, and perhaps nowhere else: the wait for a synchronous
 * standby was cancelled (WARNING 01000), or ended together with the session (WARNING 57P01, PostgreSQL source syncrep.c).
 */
export function notReplicated(notice: unknown): boolean {
  const { code, routine } = (notice ?? {}) as { readonly code?: unknown; readonly routine?: unknown };
  return routine === ROUTINE && (code === "01000" || code === "57P01");
}
