/**
 * Calls of the stack over a connection that somebody holds as a client of `pg`.
 */
import type { DriverConnection } from "@breakwater/core";

// Clients over which the stack is sending at this moment; see `Autocommit`.
const sending = new WeakSet<object>();

/** Whether a statement that reaches a client's `query` comes from the stack, not from the client's holder. */
export function comesFromStack(client: object): boolean {
  return sending.has(client);
}

/** A lent connection for a call of the stack: when the call is over, it stays with its holder. */
export function keptByHolder(connection: DriverConnection): DriverConnection {
  const client = connection.driver as object;
  return {
    driver: client,
    get transactionStatus() {
      return connection.transactionStatus;
    },
    get usable() {
      return connection.usable;
    },
    query: (statement) => {
      sending.add(client);
      try {
        return connection.query(statement);
      } finally {
        sending.delete(client);
      }
    },
    ...(connection.refused === undefined ? {} : { refused: (error: unknown) => connection.refused?.(error) === true }),
    release: () => undefined,
    destroy: (cancel) => connection.destroy(cancel),
  };
}
