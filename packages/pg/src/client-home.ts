/**
 * Whom a client of `pg` belongs to.
 */

/** Whose client it is. */
export interface ClientHome {
  /** Takes it back for others to use; with `destroy`, to end it. */
  giveBack(destroy: boolean): void;
  /** Told whenever it is lent to somebody. */
  lent?(): void;
  /** Told when it dies while nobody holds it. */
  lost?(error: unknown): void;
  /** Whether it keeps no process alive while nobody holds it. */
  readonly background?: boolean;
}
