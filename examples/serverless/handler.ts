/** A function of a serverless platform: many short-lived instances, each with little time and a connection or two. */
import { breakwater, type Database, failureOf } from "breakwater";

export interface Event {
  readonly requestId: string;
  readonly item: string;
}

/** What platforms tell of an invocation: how long it may still take before the instance is cut off. */
export interface Context {
  getRemainingTimeInMillis(): number;
}

export interface Answer {
  readonly statusCode: number;
  readonly body?: unknown;
}

// Outside the handler: what the first invocation makes serves those that follow in the same instance.
let db: Database | undefined;

function open(): Database {
  return breakwater({
    // Host, port, user and database are those of the environment. The password is asked for each new connection: a token
    // that holds for minutes, as cloud providers sign them, or a secret that is rotated.
    primary: { password: token },
    pool: {
      // One invocation at a time needs no more, and a thousand instances share what the server has. The router's probe
      // has a connection beside them.
      max: 2,
      // Idle connections keep no instance alive.
      allowExitOnIdle: true,
      // After a freeze nobody knows what became of a connection: it is asked before it is used.
      validateAfterIdleMs: 1_000,
      // Whether a pooler such as PgBouncer is in between is found out; say "transaction" where you know.
      pooler: "auto",
    },
    // Who is called again with the same request, as platforms do after a failure, gives the first answer.
    commitResolution: { ledger: true },
  });
}

async function token(): Promise<string> {
  const response = await fetch(process.env["VAULT_URL"] ?? "http://127.0.0.1:1");
  return response.text();
}

export async function handler({ requestId, item }: Event, context: Context): Promise<Answer> {
  db ??= open();
  // So early that there is time left to say so.
  const timeoutMs = Math.max(context.getRemainingTimeInMillis() - 200, 1);
  try {
    const text = "INSERT INTO orders (item) VALUES ($1) RETURNING id";
    const id = await db.transaction((tx) => tx.value<number>(text, [item]), {
      idempotencyKey: `request ${requestId}`,
      timeoutMs,
    });
    return { statusCode: 201, body: { id } };
  } catch (error) {
    // The key makes it safe to try again, whatever is known of this time.
    console.error(`order failed: ${failureOf(error).reason}`);
    return { statusCode: 503 };
  }
}

/** For platforms that say so before they freeze or end an instance: it leaves no connection behind. */
export async function beforeFreeze(): Promise<void> {
  const closing = db;
  db = undefined;
  await closing?.close({ drainMs: 300 });
}
