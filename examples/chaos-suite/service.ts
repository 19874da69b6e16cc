/**
 * A small shop over HTTP. What matters here is what it answers when its database is in trouble: 504 when nobody knows whether
 * an order was taken, 503 when it was not, and with each answer a token of what the customer has seen, for whichever instance
 * of the service is asked next.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Database, OutcomeUnknownError } from "breakwater";

export const schema = `
  CREATE TABLE orders (id text NOT NULL, item text NOT NULL); -- no key: what is done twice shall be seen
  CREATE TABLE stock (item text PRIMARY KEY, sold int NOT NULL);
  INSERT INTO stock VALUES ('book', 0), ('lamp', 0);
  CREATE TABLE addresses (customer text PRIMARY KEY, address text NOT NULL)`;

export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

/** Listens on a free port of this machine. */
export async function startService(db: Database): Promise<Service> {
  const server = createServer((request, response) => void answer(db, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(db: Database, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const session = db.session(tokenOf(request));
    const result = await handle(session, request);
    response.setHeader("x-seen", session.token);
    response.writeHead(200).end(JSON.stringify(result));
  } catch (error) {
    const { code = "UNKNOWN" } = error as { readonly code?: string };
    response.writeHead(error instanceof OutcomeUnknownError ? 504 : 503).end(JSON.stringify({ code }));
  }
}

async function handle(db: Database, request: IncomingMessage): Promise<unknown> {
  const [, what, id] = (request.url ?? "").split("/");
  switch (`${request.method} ${what}`) {
    case "PUT orders": {
      const item = await bodyOf(request);
      return db.transaction(async (tx) => {
        await tx.query("UPDATE stock SET sold = sold + 1 WHERE item = $1", [item]);
        await tx.query("INSERT INTO orders VALUES ($1, $2)", [id, item]);
      });
    }
    case "PUT addresses": {
      const text = `INSERT INTO addresses VALUES ($1, $2)
        ON CONFLICT (customer) DO UPDATE SET address = excluded.address`;
      await db.query(text, [id, await bodyOf(request)], { exactlyOnce: true });
      return undefined;
    }
    default: {
      const text = "SELECT address FROM addresses WHERE customer = $1";
      const { rows } = await db.query<{ address: string }>(text, [id]);
      return rows[0]?.address ?? null;
    }
  }
}

function tokenOf({ headers }: IncomingMessage): { readonly token?: string } {
  const seen = headers["x-seen"];
  return typeof seen === "string" && seen !== "" ? { token: seen } : {};
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  return body;
}
