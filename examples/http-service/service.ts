/**
 * An order service over HTTP, as one would run it: health and readiness, a deadline and a priority for each call, honest
 * answers when the database is in trouble, and an end that cuts nobody off.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Server } from "node:http";
import { serve } from "@hono/node-server";
import { type CallOptions, type Database, failureOf, OutcomeUnknownError, type Priority } from "breakwater";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

export const schema = `
  CREATE TABLE stock (item text PRIMARY KEY, remaining int NOT NULL CHECK (remaining >= 0));
  CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL REFERENCES stock)`;

/** The routes. Nothing here knows of nodes, retries or failovers. */
export function orderService(db: Database): Hono {
  const app = new Hono();

  // Whether the process is well. A database that is away is no reason to restart it.
  app.get("/healthz", (c) => c.json({ status: "ok" }));

  // Whether to send it requests. While there is no primary, writes wait for the next one and reads go on: that is no
  // reason to turn customers away. A database of which nobody answers is.
  app.get("/readyz", async (c) => {
    const { status, readable, nodes } = await db.health({ timeoutMs: 500 });
    const standing = Object.fromEntries(nodes.map(({ name, role, state }) => [name, `${role}, ${state}`]));
    return c.json({ status, nodes: standing }, readable ? 200 : 503);
  });

  app.post("/orders", async (c) => {
    const key = c.req.header("idempotency-key");
    const { item } = await c.req.json<{ readonly item?: unknown }>().catch(() => ({ item: undefined }));
    if (key === undefined || typeof item !== "string") {
      return c.json({ error: "an order has an item, and an Idempotency-Key by which it can be sent again" }, 400);
    }
    // Under one key this is done once, however often it is asked for: who asks again gets the first answer.
    const id = await db.transaction(
      async (tx) => {
        await tx.execute("UPDATE stock SET remaining = remaining - 1 WHERE item = $1", [item]);
        return tx.value<number>("INSERT INTO orders (item) VALUES ($1) RETURNING id", [item]);
      },
      { ...of(c, "critical"), idempotencyKey: `order ${key}` },
    );
    return c.json({ id, item }, 201);
  });

  app.get("/orders/:id{[0-9]{1,9}}", async (c) => {
    const order = await db.first("SELECT id, item FROM orders WHERE id = $1", [c.req.param("id")], of(c, "normal"));
    return order === undefined ? c.json({ error: "there is no such order" }, 404) : c.json(order);
  });

  // The first to be refused when there is too much to do; and yesterday's figures would do.
  app.get("/sales", async (c) => {
    const text = "SELECT item, count(*)::int AS sold FROM orders GROUP BY item ORDER BY item";
    return c.json(await db.rows(text, { ...of(c, "sheddable"), consistency: "eventual" }));
  });

  app.onError((error, c) => {
    const { status, code, retryAfterS } = answerTo(error);
    if (retryAfterS !== undefined) c.header("Retry-After", String(retryAfterS));
    return c.json({ error: code }, status);
  });
  return app;
}

/** What is said of every call: it ends when the customer leaves, and when the answer is of no more use. */
function of(c: Context, priority: Priority): CallOptions {
  const asked = Number(c.req.header("x-timeout-ms"));
  const timeoutMs = asked > 0 ? Math.min(asked, 10_000) : 10_000;
  return { signal: c.req.raw.signal, timeoutMs, priority, label: `${c.req.method} ${c.req.routePath}` };
}

interface Answer {
  readonly status: ContentfulStatusCode;
  readonly code: string;
  readonly retryAfterS?: number;
}

/** What a customer is told. The layer has understood every error; its texts are for the log, not for customers. */
function answerTo(error: Error): Answer {
  // It may have been done. With the same key it is safe to ask again, and the answer will be the true one.
  if (error instanceof OutcomeUnknownError) return { status: 504, code: "unknown: ask again with the same key" };
  const { code = "" } = error as { readonly code?: string };
  // Class 23 are the constraints: sold out, or no such item.
  if (code.startsWith("23")) return { status: 409, code: "conflict" };
  const { blames, retryAfterMs = 1_000 } = failureOf(error);
  // Nothing was done: overload, no node in time, a deadline that passed.
  if (blames === "node" || blames === "load" || code === "ERR_BREAKWATER_TIMEOUT") {
    return { status: 503, code: "busy", retryAfterS: Math.ceil(retryAfterMs / 1_000) };
  }
  return { status: 500, code: "internal" };
}

export interface Running {
  readonly url: string;
  readonly server: Server;
  /** Settles when the service has ended. */
  readonly ended: Promise<void>;
}

/** Listens, until SIGTERM: then takes no more requests, answers those that it has, and gives the connections back. */
export async function start(db: Database, port = 0): Promise<Running> {
  const app = orderService(db);
  const answer = async (request: Request): Promise<Response> => {
    const response = await app.fetch(request);
    // A connection that is kept alive would keep the server from ending.
    if (!server.listening) response.headers.set("connection", "close");
    return response;
  };
  const server = serve({ fetch: answer, port, hostname: "127.0.0.1" }) as Server;
  await once(server, "listening");
  const ended = once(process, "SIGTERM").then(async () => {
    const answered = once(server, "close");
    server.close();
    await answered;
    await db.close({ drainMs: 5_000 });
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, ended };
}
