/**
 * What is done with a connection before somebody has it: set up, asked whether it answers, reset.
 */
import { bounded } from "../waiting/bounded.ts";
import type { Clock } from "../waiting/clock.ts";
import type { DriverConnection } from "../contract/driver.ts";
import { NodeLostError, TimeoutError, UsageError } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import type { OnConnect, ResetOnRelease, SetupConnection } from "./lifecycle.ts";
import { toStatement } from "../face/statement.ts";

/** Longest wait for the answer to the short question, in milliseconds. */
const VALIDATION_MS = 1_000;

const UNOPENED: Omit<Failure, "reason"> = {
  phase: "connect",
  effect: "none",
  retry: "other-node",
  blames: "node",
  connection: "destroy",
};

/** How a new connection is prepared. */
export interface Preparing {
  readonly name: string;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly onConnect: OnConnect | undefined;
}

/** A connection as it is given to whoever prepares it. */
function setupConnection(connection: DriverConnection, name: string): SetupConnection {
  return {
    get driver() {
      // The link may still be kept from it.
      connection.carrier?.shown();
      return connection.driver;
    },
    query: (statement, values) => connection.query(toStatement(name, statement, values)),
  };
}

/** What is done to a connection before others get it; undefined when nothing is. */
export function resetting(
  how: ResetOnRelease,
  name: string,
  onConnect: OnConnect | undefined,
): ((connection: DriverConnection) => Promise<void>) | undefined {
  if (how === false) return undefined;
  if (how === "discard-all") return (connection) => discardAll(connection, name, onConnect);
  return async (connection) => void (await how(setupConnection(connection, name)));
}

/** Prepares a new connection. Rejects when that fails, takes too long or is given up, or the connection is dead. */
export async function prepare(connection: DriverConnection, givenUp: AbortSignal, how: Preparing): Promise<void> {
  const { name, clock, connectTimeoutMs, onConnect } = how;
  if (onConnect !== undefined) {
    const prepared = (async () => void (await onConnect(setupConnection(connection, name), false)))();
    const onLimit = (): Error => tooSlow(name, connectTimeoutMs);
    await bounded(prepared, { clock, limit: clock.now() + connectTimeoutMs, signal: givenUp, onLimit });
    atRest(connection, name, "onConnect");
  }
  // Some servers, and what stands before them, take a connection only to end it.
  if (!connection.usable) throw endedAtOnce(name);
}

/** Why there is no connection although they can be opened. */
export function endedAtOnce(name: string): NodeLostError {
  const reason = "the server ended a connection as soon as it was open";
  return new NodeLostError(name, reason, { ...UNOPENED, reason });
}

/** Takes away everything that a session has left, and prepares the connection anew. */
async function discardAll(connection: DriverConnection, name: string, onConnect: OnConnect | undefined): Promise<void> {
  if (connection.reset === undefined) throw new UsageError(name, "the driver cannot reset a connection");
  await connection.reset();
  await onConnect?.(setupConnection(connection, name), true);
  atRest(connection, name, "onConnect");
}

/** Whether a connection answers in time; it is destroyed when it does not. */
export function validate(connection: DriverConnection, clock: Clock, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    const told = (answers: boolean): void => {
      timer.cancel();
      resolve(answers);
    };
    // Not every link that is destroyed lets its statement know.
    const late = (): void => {
      void connection.destroy(false);
      resolve(false);
    };
    const timer = clock.setTimer(VALIDATION_MS, late, true);
    connection.query({ text }).then(
      () => told(connection.usable),
      () => told(false),
    );
  });
}

function atRest({ transactionStatus }: DriverConnection, name: string, who: string): void {
  if (transactionStatus === "open" || transactionStatus === "failed")
    throw new UsageError(name, `${who} left a transaction open`);
}

function tooSlow(name: string, limitMs: number): TimeoutError {
  const reason = `onConnect took longer than ${limitMs} ms`;
  return new TimeoutError(name, reason, { ...UNOPENED, reason });
}
