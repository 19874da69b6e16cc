/**
 * One instance of a service. Every visitor has a session, whose token travels in a cookie: whichever instance is asked next
 * shows at least what the visitor has written and seen.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { breakwater } from "breakwater";
import { Hono } from "hono";
import { getSignedCookie, setSignedCookie } from "hono/cookie";

const [primary = "", ...replicas] = process.argv.slice(2);
const db = breakwater({ primary, replicas });
// The same for all instances. A token is no secret, but whoever makes one up has all their reads done by the primary.
const secret = "from the vault";

const app = new Hono();

app.use(async (c, next) => {
  const seen = await getSignedCookie(c, secret, "seen");
  // Every call of `db` in here, however deep, belongs to this visitor. Without a token the session begins anew.
  await db.runInSession(
    async () => {
      await next();
      await setSignedCookie(c, "seen", db.token, secret, { httpOnly: true, sameSite: "Lax" });
    },
    { token: seen || undefined },
  );
});

app.put("/profile/:name", async (c) => {
  const text = "UPDATE profiles SET motto = $1 WHERE name = $2";
  await db.execute(text, [await c.req.text(), c.req.param("name")]);
  return c.body(null, 204);
});

app.get("/profile/:name", async (c) => {
  const motto = await db.value<string>("SELECT motto FROM profiles WHERE name = $1", [c.req.param("name")]);
  return motto === undefined ? c.notFound() : c.text(motto);
});

const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
await once(server, "listening");
process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);

// It ends with the process that started it.
await once(process, "disconnect");
server.close();
server.closeIdleConnections();
await db.close();
