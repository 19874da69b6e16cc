/**
 * What a driver without a pool of its own brings: opening one connection.
 */
import type { DriverConnection } from "../contract/driver.ts";

/** Where a connection comes home to. */
export interface ConnectionHome {
  /** It may be used by others. */
  released(connection: DriverConnection): void;
  /** It has ended, or will have in a moment: it counts no more. */
  gone(connection: DriverConnection): void;
  /** It died while it was idle. */
  lost(connection: DriverConnection, error: unknown): void;
  /** The server sent a notice over it. */
  notice(notice: unknown): void;
}

/** What a driver brings: opening one connection. Releasing and destroying it tell the home. */
export interface ConnectionOpener {
  /**
   * A new connection, ready for statements and taken. Without a home it belongs to whoever opened it. An abort of
   * `givenUp` ends the attempt at once: the link is destroyed and the promise rejects.
   */
  open(home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection>;
}
