/** Operations: three kinds, told apart by `kind`; failures and errors, by their words. */
import {
  CircuitOpenError,
  type Failure,
  failureOf,
  type Operation,
  operationContext,
  OutcomeUnknownError,
  type Pool,
  type QueryOperation,
  queryOperation,
  type QueryResult,
  RejectedError,
  type SessionOperation,
  type Statement,
  type TransactionOperation,
  type TransactionOptions,
} from "@breakwater/core";
import { equal } from "./equal.ts";

declare const pool: Pool;

export function kinds<T>(operation: Operation<T>): string {
  equal<typeof operation.kind, "query" | "transaction" | "session">();
  // @ts-expect-error only one of the kinds has a statement
  void operation.statement;
  // @ts-expect-error an operation is never changed
  operation.deadline = 0;
  switch (operation.kind) {
    case "query":
      equal<typeof operation, QueryOperation<T>>();
      equal<typeof operation.statement, Statement>();
      return operation.statement.text;
    case "transaction":
      equal<typeof operation, TransactionOperation<T>>();
      equal<typeof operation.transaction, TransactionOptions>();
      return operation.transaction.isolation ?? "";
    case "session":
      equal<typeof operation, SessionOperation<T>>();
      return "";
    default:
      equal<typeof operation, never>();
      return operation;
  }
}

export async function execute(): Promise<void> {
  const result = await pool.execute(queryOperation<{ id: number }>({ text: "SELECT 1" }, operationContext("read")));
  equal<typeof result, QueryResult<{ id: number }>>();

  const value = await pool.execute({
    ...operationContext("write"),
    kind: "session",
    run: async (connection, attempt) => {
      equal<typeof attempt, number>();
      return (await connection.query<{ id: number }>({ text: "SELECT 1" })).rows.length;
    },
  });
  equal<typeof value, number>();

  // @ts-expect-error a query has a statement
  await pool.execute({ ...operationContext("read"), kind: "query", run: async () => 1 });
  // @ts-expect-error what is known of a call is part of it
  await pool.execute({ kind: "session", run: async () => 1 });
  await pool.execute({
    ...operationContext("read"),
    kind: "session",
    // @ts-expect-error a connection takes statements, not texts
    run: (connection) => connection.query("SELECT 1"),
  });
  // @ts-expect-error a call reads or writes
  operationContext("both");
}

export function errors(error: unknown): void {
  equal<ReturnType<typeof failureOf>, Failure>();
  if (error instanceof OutcomeUnknownError) {
    equal<typeof error.code, "ERR_BREAKWATER_OUTCOME_UNKNOWN">();
  }
  if (error instanceof CircuitOpenError) {
    equal<typeof error.retryAfterMs, number | undefined>();
    const rejected: RejectedError = error;
    void rejected;
  }
  // @ts-expect-error the family is not raised itself
  void new RejectedError("a", "b", failureOf(error));
}
