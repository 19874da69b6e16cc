/** Who may ask the status handler what, by `node:http` and by Fetch. */
import http from "node:http";
import net from "node:net";
import { type Database, database, OptionError } from "@breakwater/core";
import { failing, fakePool, ManualClock } from "@breakwater/core/testing";
import { circuitBreaker, retry } from "@breakwater/policies";
import { compose } from "breakwater";
import { serveStatus, statusHandler, type StatusOptions, type StatusReport } from "breakwater/status";
import { afterEach, describe, expect, it } from "vitest";

const TOKEN = "correct-horse-battery";
const SECRET = "hunter2hunter2";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

function fake(name = "shop"): Database {
  const db = database(compose(retry(), circuitBreaker())(fakePool(undefined, name)));
  opened.push(db);
  return db;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

type Ask = (path: string, asked?: Asked) => Promise<Told>;

async function byNode(db: Database, options: StatusOptions): Promise<Ask> {
  const handler = statusHandler(db, options);
  const server = http.createServer(handler.node);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }, handler);
  const { port } = server.address() as net.AddressInfo;
  return (path, { method = "GET", headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const given = { host: "127.0.0.1", port, path, method, headers: { host: `localhost:${port}`, ...headers } };
      const request = http.request({ ...given, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({ status: answer.statusCode!, headers: answer.headers as Record<string, string>, text }),
        );
      });
      request.on("error", reject);
      request.end(body);
    });
}

function byFetch(db: Database, options: StatusOptions): Promise<Ask> {
  const handler = statusHandler(db, options);
  opened.push(handler);
  return Promise.resolve(async (path, { method = "GET", headers = {}, body } = {}) => {
    const { host = "localhost", ...others } = headers;
    const url = `http://${host}${path}`;
    const answer = await handler.fetch(
      new Request(url, { method, headers: others, ...(body === undefined ? {} : { body }) }),
    );
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  });
}

const ways = [
  ["node:http", byNode],
  ["Fetch", byFetch],
] as const;

const json = { "content-type": "application/json" };
const bearer = (token: string): Record<string, string> => ({ ...json, authorization: `Bearer ${token}` });
const isolate = JSON.stringify({ control: "circuit-breaker", action: "isolate" });
const reportOf = ({ text }: Told): StatusReport => JSON.parse(text) as StatusReport;
const breakerOf = (told: Told): string | null => reportOf(told).databases[0]!.nodes[0]!.breaker;

describe.each(ways)("status handler by %s", (_, make) => {
  it("shows page, figures, life and readiness, each for itself and kept by nobody", async () => {
    const ask = await make(fake(), {});
    const page = await ask("/");
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(page.text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(reportOf(await ask("/status.json?x=1")).databases[0]).toMatchObject({
      name: "shop",
      status: "unknown",
      stack: ["retry", "circuit-breaker"],
      nodes: [{ name: "shop", role: "unknown", breaker: "closed", lag: null }],
    });
    expect((await ask("/healthz")).text).toBe('{"status":"ok"}');
    expect(await ask("/readyz")).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    for (const path of ["/", "/status.json", "/healthz", "/readyz", "/nothing"]) {
      const { headers } = await ask(path);
      expect(headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(Object.keys(headers)).not.toContain("access-control-allow-origin");
      expect(Object.keys(headers)).not.toContain("set-cookie");
    }
  });

  it("answers HEAD as GET, without a body", async () => {
    const ask = await make(fake(), {});
    for (const path of ["/", "/status.json", "/healthz"]) {
      const told = await ask(path, { method: "HEAD" });
      expect([told.status, told.text]).toEqual([200, ""]);
    }
  });

  it("knows no other path, however it is spelled", async () => {
    const ask = await make(fake(), { basePath: "/status" });
    expect((await ask("/status")).status).toBe(200);
    expect((await ask("/status/")).status).toBe(200);
    expect((await ask("/status/status.json")).status).toBe(200);
    const wrong = [
      "/",
      "/status.json",
      "/statusx",
      "/status/status.json/",
      "/status/%2e%2e/package.json",
      "/status/..%2fpackage.json",
      "/status//status.json",
      "/status/page/status.js",
      "/status/constructor",
      "//evil/status/status.json",
    ];
    for (const path of wrong) expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });

  it("allows each path its methods and no others", async () => {
    const ask = await make(fake(), { token: TOKEN });
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const told = await ask("/status.json", { method, headers: bearer(TOKEN) });
      expect([method, told.status, told.headers["allow"]]).toEqual([method, 405, "GET, HEAD"]);
    }
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS"]) {
      const told = await ask("/actions", { method, headers: bearer(TOKEN) });
      expect([method, told.status, told.headers["allow"]]).toEqual([method, 405, "POST"]);
    }
  });

  it("does nothing where no token was given to it", async () => {
    const ask = await make(fake(), {});
    for (const headers of [json, bearer(TOKEN), bearer("undefined")])
      expect((await ask("/actions", { method: "POST", headers, body: isolate })).status).toBe(403);
    expect(breakerOf(await ask("/status.json"))).toBe("closed");
    expect(reportOf(await ask("/status.json")).actions).toBe(false);
  });

  it("does something only for the whole token in its place", async () => {
    const ask = await make(fake(), { token: TOKEN });
    const post = (headers: Record<string, string>, path = "/actions"): Promise<Told> =>
      ask(path, { method: "POST", headers, body: isolate });
    const wrong: Record<string, string>[] = [
      json,
      bearer(`${TOKEN}x`),
      bearer(TOKEN.slice(1)),
      bearer(TOKEN.toUpperCase()),
      bearer(""),
      { ...json, authorization: `Basic ${TOKEN}` },
      { ...json, authorization: TOKEN },
      { ...json, cookie: `token=${TOKEN}; authorization=Bearer ${TOKEN}` },
    ];
    for (const headers of wrong) {
      const told = await post(headers);
      expect([headers, told.status]).toEqual([headers, 401]);
      expect(told.headers["www-authenticate"]).toMatch(/^Bearer/);
      expect(told.text).not.toContain(TOKEN);
    }
    expect((await post(json, `/actions?token=${TOKEN}`)).status).toBe(401);
    expect(breakerOf(await ask("/status.json"))).toBe("closed");
    expect(await post(bearer(TOKEN))).toMatchObject({ status: 200, text: '{"ok":true}' });
    expect(breakerOf(await ask("/status.json"))).toBe("isolated");
  });

  it("does nothing for another site, even with the token", async () => {
    const ask = await make(fake(), { token: TOKEN });
    const post = (more: Record<string, string>): Promise<Told> =>
      ask("/actions", { method: "POST", headers: { ...bearer(TOKEN), host: "localhost:81", ...more }, body: isolate });
    const foreign: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "http://localhost:82" },
      { origin: "null" },
      { origin: "http://localhost:81.evil.example" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of foreign) expect([headers, (await post(headers)).status]).toEqual([headers, 403]);
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"])
      expect([type, (await post({ "content-type": type })).status]).toEqual([type, 415]);
    expect(breakerOf(await ask("/status.json"))).toBe("closed");
    expect((await post({ origin: "http://localhost:81", "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  it("answers only to names of this machine, or those it was given", async () => {
    const ask = await make(fake(), {});
    const status = async (one: Ask, host: string): Promise<number> =>
      (await one("/status.json", { headers: { host } })).status;
    for (const host of ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example", "[::2]"])
      expect([host, await status(ask, host)]).toEqual([host, 403]);
    for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:99", "127.9.9.9", "[::1]:9", "app.localhost"])
      expect([host, await status(ask, host)]).toEqual([host, 200]);
    const named = await make(fake(), { hosts: ["Status.internal", "[fd00::1]"], read: "anyone" });
    expect(await status(named, "status.internal:8080")).toBe(200);
    expect(await status(named, "[fd00::1]:8080")).toBe(200);
    expect(await status(named, "other.internal")).toBe(403);
    expect((await named("/readyz", { headers: { host: "other.internal" } })).status).toBe(403);
    const any = await make(fake(), { hosts: "any", token: TOKEN });
    expect(await status(any, "whatever.example")).toBe(401);
    expect((await any("/readyz", { headers: { host: "10.1.2.3" } })).status).toBe(200);
  });

  it("takes what a proxy passes on for what it says of the sender", async () => {
    const ask = await make(fake(), {});
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await ask("/status.json", { headers })).status;
    for (const headers of [
      { "x-forwarded-for": "203.0.113.7" },
      { "x-forwarded-for": "127.0.0.1, 203.0.113.7:4711" },
      { "x-forwarded-for": "unknown" },
      { "x-real-ip": "10.0.0.1" },
      { forwarded: 'for=127.0.0.1;proto=http, for="[2001:db8::1]:4711"' },
      { forwarded: "by=127.0.0.1; For=_hidden" },
    ])
      expect([headers, await status(headers)]).toEqual([headers, 403]);
    for (const headers of [
      { "x-forwarded-for": "127.0.0.1, ::1, ::ffff:127.0.0.1" },
      { "x-forwarded-for": "[::1]:80,127.0.0.1:80" },
      { forwarded: 'proto=http;for="[::1]:4711";host=localhost, for=127.0.0.1:80' },
      { forwarded: "proto=https" },
    ])
      expect([headers, await status(headers)]).toEqual([headers, 200]);
    const named = await make(fake(), { hosts: "any", read: "anyone" });
    expect((await named("/status.json", { headers: { "x-forwarded-for": "203.0.113.7" } })).status).toBe(200);
  });

  it("lets only those with the token read, where it is to be so", async () => {
    const ask = await make(fake(), { token: TOKEN, read: "token" });
    expect((await ask("/status.json")).status).toBe(401);
    expect((await ask("/status.json", { headers: bearer("wrong-wrong-wrong-wrong") })).status).toBe(401);
    expect((await ask("/status.json", { headers: bearer(TOKEN) })).status).toBe(200);
    expect((await ask("/")).status).toBe(200);
    expect((await ask("/readyz")).status).toBe(200);
  });

  it("refuses a body that is too long, and what is none", async () => {
    const ask = await make(fake(), { token: TOKEN });
    const post = (body: string): Promise<Told> => ask("/actions", { method: "POST", headers: bearer(TOKEN), body });
    expect((await post(`{"control":"${"x".repeat(20_000)}"}`)).status).toBe(413);
    const wrong: readonly [string, RegExp][] = [
      ["", /not JSON/],
      ["{", /not JSON/],
      ["[]", /an object/],
      ["null", /an object/],
      ["{}", /control must be a text/],
      ['{"control":"none","action":"isolate"}', /one of retry, circuit-breaker/],
      ['{"control":"circuit-breaker"}', /must have either/],
      ['{"control":"circuit-breaker","action":"constructor"}', /one of isolate, reset/],
      ['{"control":"circuit-breaker","action":"isolate","force":true}', /may have/],
      ['{"control":"retry","configure":{"maxRetries":-1}}', /maxRetries/],
      ['{"control":"retry","configure":{"clock":1}}', /clock/],
      ['{"control":"retry","action":"x","values":7}', /values must be an array/],
      ['{"database":"other","control":"retry","configure":{}}', /database must be one of shop/],
      ['{"control":"retry","configure":{"__proto__":{"maxRetries":9}}}', /__proto__|unknown/],
    ];
    for (const [body, reason] of wrong) {
      const told = await post(body);
      expect([body, told.status]).toEqual([body, 400]);
      expect(told.text).toMatch(reason);
    }
    expect(breakerOf(await ask("/status.json"))).toBe("closed");
    expect((await post('{"control":"retry","configure":{"maxRetries":1}}')).status).toBe(200);
    const retries = reportOf(await ask("/status.json")).databases[0]!.controls.find(({ name }) => name === "retry")!;
    expect(retries.options["maxRetries"]).toBe(1);
  });

  it("is over when it is closed, and hears nothing any more", async () => {
    const db = fake();
    const before = db.pool.events.size;
    const handler = statusHandler(db, {});
    expect(db.pool.events.size).toBeGreaterThan(before);
    handler.close();
    handler.close();
    expect(db.pool.events.size).toBe(before);
    expect((await handler.fetch(new Request("http://localhost/status.json"))).status).toBe(503);
  });

  it("never tells what an event or an option may hide", async () => {
    const db = fake();
    const ask = await make(db, { token: TOKEN });
    const { events } = db.pool;
    const error = Object.assign(new Error(`password ${SECRET}`), { code: "28P01", detail: SECRET });
    events.emit("connection:lost", { pool: "shop", error });
    events.emit("connection:notice", { pool: "shop", notice: { message: SECRET } });
    const more = { text: SECRET, values: [SECRET], connectionString: `postgres://app:${SECRET}@db/shop` };
    events.emit("connection:failed", { pool: "shop", error, ...more });
    const { text } = await ask("/status.json");
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(TOKEN);
    expect(reportOf({ status: 200, headers: {}, text }).databases[0]!.events).toMatchObject([
      { name: "connection:lost", level: "warn", text: "pool shop, error 28P01", times: 1 },
      { name: "connection:failed", level: "warn", times: 1 },
    ]);
  });

  it("holds many viewers by one snapshot", async () => {
    const db = fake();
    let asked = 0;
    const { pool } = db;
    db.stats = () => {
      asked += 1;
      return pool.stats();
    };
    const clock = new ManualClock();
    const ask = await make(db, { clock });
    const before = asked;
    await Promise.all(Array.from({ length: 50 }, () => ask("/status.json")));
    expect(asked - before).toBe(1);
    await clock.advance(1_000);
    await Promise.all(Array.from({ length: 50 }, () => ask("/status.json")));
    expect(asked - before).toBe(2);
  });
});

describe("status handler", () => {
  it("shows several databases, by name or under their own", async () => {
    const [shop, audit] = [fake("shop"), fake("audit")];
    for (const source of [[shop, audit], { first: shop, second: audit }]) {
      using handler = statusHandler(source, { token: TOKEN });
      const names = Array.isArray(source) ? ["shop", "audit"] : ["first", "second"];
      expect(handler.report().databases.map(({ name }) => name)).toEqual(names);
      const post = (body: object): Promise<Response> =>
        handler.fetch(
          new Request("http://localhost/actions", {
            method: "POST",
            headers: bearer(TOKEN),
            body: JSON.stringify(body),
          }),
        );
      const action = { control: "circuit-breaker", action: "isolate" };
      expect((await post(action)).status).toBe(400);
      expect((await post({ ...action, database: names[1] })).status).toBe(200);
      const [one, other] = handler.report().databases;
      expect([one!.nodes[0]!.breaker, other!.nodes[0]!.breaker]).toEqual(["closed", "isolated"]);
      audit.controls.get("circuit-breaker").act("reset");
    }
  });

  it("shows a breaker that opens, and what it costs", async () => {
    const pool = fakePool(() => {
      throw failing({}, new Error("lost"));
    });
    const db = database(circuitBreaker()(pool));
    using handler = statusHandler({ shop: db });
    for (let call = 0; call < 6; call += 1) await expect(db.query("SELECT 1")).rejects.toThrow(/lost|open/);
    const [shop] = handler.report().databases;
    expect(shop!.nodes[0]).toMatchObject({ breaker: "open", role: "unknown" });
    expect(shop!.policies[0]).toMatchObject({ policy: "circuit-breaker", counters: { state: "open", rejected: 1 } });
    expect(shop!.events.at(-1)).toMatchObject({ name: "circuit-breaker:opened", level: "warn" });
    expect((await handler.fetch(new Request("http://localhost/readyz"))).status).toBe(503);
  });

  it("keeps the last events only, counts what repeats itself, and numbers them all", async () => {
    const [db, clock] = [fake(), new ManualClock()];
    using handler = statusHandler(db, { maxEvents: 3, clock });
    const { events } = db.pool;
    for (let index = 0; index < 7; index += 1) {
      events.emit("router:node-up", { pool: "shop", node: `db${index}` });
      await clock.advance(100);
    }
    const list = (): unknown[] => handler.report().databases[0]!.events.map(({ text, times, id }) => [text, times, id]);
    expect(list()).toEqual([
      ["node db4", 1, 5],
      ["node db5", 1, 6],
      ["node db6", 1, 7],
    ]);
    await clock.advance(5_000);
    for (let index = 0; index < 4; index += 1) events.emit("router:node-up", { pool: "shop", node: "same" });
    expect(list()).toEqual([
      ["node db5", 1, 6],
      ["node db6", 1, 7],
      ["node same", 4, 11],
    ]);
    // Calls have a room of their own.
    const failure = { phase: "running", effect: "none", retry: "same-node", blames: "node" } as const;
    for (let attempt = 1; attempt <= 40; attempt += 1) {
      const told = { ...failure, connection: "keep", reason: "lost" } as const;
      events.emit("retry:scheduled", { pool: "shop", label: "books", attempt, delayMs: 1, failure: told });
    }
    expect(list().slice(0, 3)).toEqual([
      ["node db5", 1, 6],
      ["node db6", 1, 7],
      ["node same", 4, 11],
    ]);
    expect(list().slice(3)).toEqual([["pool shop, label books, attempt 10, delayMs 1, failure lost", 10, 21]]);
    // What came too fast is told when the moment is over.
    await clock.advance(2_000);
    expect(list().slice(3)).toEqual([["pool shop, label books, attempt 10, delayMs 1, failure lost", 40, 22]]);
    events.emit("router:node-up", { pool: "shop", node: "a\u001B[2Jb\u202E" });
    expect(list().at(-1)).toEqual(["node a [2Jb ", 1, 23]);
  });

  it("says when a database does not answer, and asks it once for all who want to know", async () => {
    let asked = 0;
    const pool = fakePool(() => {
      asked += 1;
      throw new Error("no");
    });
    const [db, clock] = [database(pool), new ManualClock()];
    using handler = statusHandler({ db, other: fake() }, { clock });
    const ready = (): Promise<Response> => handler.fetch(new Request("http://localhost/readyz"));
    const all = await Promise.all(Array.from({ length: 20 }, ready));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([503]));
    expect(await all[0]!.text()).toBe('{"status":"down"}');
    expect(asked).toBe(1);
    await clock.advance(1_001);
    await ready();
    expect(asked).toBe(2);
    expect((await handler.fetch(new Request("http://localhost/healthz"))).status).toBe(200);
  });

  it.each([
    [{ token: "short" }, /status\.token/],
    [{ token: "with a space in the middle" }, /status\.token/],
    [{ token: 7 }, /status\.token/],
    [{ hosts: ["status.internal"] }, /status\.hosts .*token/],
    [{ hosts: "any" }, /status\.hosts/],
    [{ hosts: [], token: TOKEN }, /status\.hosts/],
    [{ hosts: ["http://status.internal"], token: TOKEN }, /status\.hosts/],
    [{ hosts: ["status.internal:80"], token: TOKEN }, /status\.hosts/],
    [{ read: "token" }, /status\.read/],
    [{ read: "nobody" }, /status\.read/],
    [{ basePath: "status" }, /status\.basePath/],
    [{ basePath: "/a/../b" }, /status\.basePath/],
    [{ basePath: "/a?b" }, /status\.basePath/],
    [{ maxEvents: 0 }, /status\.maxEvents/],
    [{ maxEvents: 10_001 }, /status\.maxEvents/],
    [{ clock: {} }, /status\.clock/],
    [{ tokn: TOKEN }, /status\.tokn/],
  ])("refuses %j when it is made", (options, message) => {
    const db = fake();
    const before = db.pool.events.size;
    expect(() => statusHandler(db, options as never)).toThrow(OptionError);
    expect(() => statusHandler(db, options as never)).toThrow(message);
    expect(() => statusHandler(db, options as never)).not.toThrow(/short|a space/);
    expect(db.pool.events.size).toBe(before);
  });

  it.each([[undefined], [null], [{}], [[]], [{ shop: 1 }], ["shop"]])("refuses to show %j", (source) => {
    expect(() => statusHandler(source as never)).toThrow(OptionError);
  });

  it("refuses two databases of one name", () => {
    expect(() => statusHandler([fake(), fake()])).toThrow(/different names/);
  });

  it("tells whoever sends too much, piece by piece, that it is", async () => {
    const server = await serveStatus(fake(), { token: TOKEN });
    opened.push(server);
    const given = { host: "127.0.0.1", port: server.port, path: "/actions", method: "POST", agent: false } as const;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = http.request({ ...given, headers: { ...bearer(TOKEN), "transfer-encoding": "chunked" } });
      request.on("response", (answer) => {
        resolve(answer.resume().statusCode);
        request.destroy();
      });
      request.on("error", reject);
      // The body never ends.
      request.write("x".repeat(20_000));
    });
    expect(status).toBe(413);
  });

  it("takes a body that a framework has read already", async () => {
    using handler = statusHandler(fake(), { token: TOKEN });
    const server = http.createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        Object.assign(request, { body: JSON.parse(text) as unknown });
        setImmediate(() => handler.node(request, response));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    opened.push({ close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) });
    const { port } = server.address() as net.AddressInfo;
    const url = `http://127.0.0.1:${port}/actions`;
    const answer = await fetch(url, { method: "POST", headers: bearer(TOKEN), body: isolate });
    expect(answer.status).toBe(200);
  });
});

describe("serveStatus", () => {
  it("listens on this machine's own address, and leaves nothing behind", async () => {
    const db = fake();
    const before = db.pool.events.size;
    const server = await serveStatus(db, { basePath: "/status" });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}/status/`);
    expect((await fetch(`${server.url}status.json`)).status).toBe(200);
    // One that says nothing, and one that stopped in the middle of its words.
    const silent = net.connect(server.port, "127.0.0.1");
    const half = net.connect(server.port, "127.0.0.1");
    half.write("POST /status/actions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{");
    await Promise.all([silent, half].map((each) => new Promise((resolve) => each.once("connect", resolve))));
    const gone = Promise.all(
      [silent, half].map(
        (each) =>
          new Promise((resolve) =>
            each
              .on("error", () => undefined)
              .resume()
              .on("close", resolve),
          ),
      ),
    );
    await Promise.all([server.close(), server.close()]);
    await gone;
    expect(db.pool.events.size).toBe(before);
    await expect(fetch(server.url)).rejects.toThrow(/fetch failed/);
    // The databases are not its own.
    expect((await db.health()).status).toBe("ok");
  });

  it.each([
    [{ host: "0.0.0.0" }, /serveStatus\.host/],
    [{ host: "::" }, /serveStatus\.host/],
    [{ host: "192.0.2.1", token: TOKEN }, /serveStatus\.host/],
    [{ host: "0.0.0.0", hosts: "any" }, /status\.hosts/],
    [{ host: "" }, /serveStatus\.host/],
    [{ port: -1 }, /serveStatus\.port/],
    [{ port: 65_536 }, /serveStatus\.port/],
    [{ port: 1.5 }, /serveStatus\.port/],
    [{ prot: 1 }, /serveStatus\.prot/],
  ])("refuses %j", async (options, message) => {
    const db = fake();
    const before = db.pool.events.size;
    await expect(serveStatus(db, options as never)).rejects.toThrow(message);
    expect(db.pool.events.size).toBe(before);
  });

  it("listens elsewhere for those who have said how it is kept", async () => {
    const server = await serveStatus(fake(), { host: "0.0.0.0", hosts: ["status.internal"], token: TOKEN });
    opened.push(server);
    expect((await fetch(`http://127.0.0.1:${server.port}/status.json`)).status).toBe(401);
  });

  it("rejects when the port is taken, and leaves nothing behind", async () => {
    const first = await serveStatus(fake());
    opened.push(first);
    const db = fake();
    const before = db.pool.events.size;
    await expect(serveStatus(db, { port: first.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(db.pool.events.size).toBe(before);
  });
});
