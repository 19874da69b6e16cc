/**
 * Shows how running stacks stand, to people and programs: a page, its figures as JSON, and, for those who have a token, a hand on
 * what `db.controls` can change. It is no server; it answers what a server hands on to it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, Answers, type Question } from "./answers.ts";
import { checkSource, checkStatusOptions, type StatusOptions, type StatusSource } from "./options.ts";
import type { StatusReport } from "./report.ts";

/** Answers for some databases. */
export interface StatusHandler {
  /** For `node:http` and whatever hands on its requests: `createServer(status.node)`, `app.use("/status", status.node)`. */
  readonly node: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * For servers that speak Fetch: Hono, Bun, Deno, edge functions. Never rejects. A request does not say where it comes from,
   * and names of this machine can be claimed: where others reach the server, give `hosts` or `read: "token"`.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /** What `status.json` says, for a route of one's own. */
  report(): StatusReport;
  /** Hears no more events, and answers 503 from then on. Idempotent. The databases stay open. */
  close(): void;
  /** The same as `close()`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Makes the answers. Starts nothing: no server, no timer. What it keeps while nobody looks are the last events of each database.
 * @throws OptionError when an option is unknown or out of range, or what is to be shown is no `Database`.
 */
export function statusHandler(databases: StatusSource, options: StatusOptions = {}): StatusHandler {
  const answers = new Answers(checkSource(databases), checkStatusOptions(options));
  const close = (): void => answers.close();
  return {
    node: (request, response) => {
      void answers.answer(askedByNode(request)).then((answer) => send(request, response, answer));
    },
    fetch: async (request) => {
      const { status, headers, body } = await answers.answer(askedByFetch(request));
      return new Response(request.method === "HEAD" ? null : body, { status, headers });
    },
    report: () => answers.report(),
    close,
    [Symbol.dispose]: close,
  };
}

function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const length = Buffer.byteLength(body);
  // What was not read of a request must not be taken for the next one.
  const left = request.complete ? {} : { connection: "close" };
  response.writeHead(status, { ...headers, ...left, "content-length": length });
  response.end(request.method === "HEAD" ? undefined : body);
}

function askedByNode(request: IncomingMessage): Question {
  const { method = "GET", url = "/", headers, socket } = request;
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  const host = headers.host ?? header(":authority");
  return {
    method,
    path: pathOf(url),
    header,
    hosts: host === undefined ? [] : [host],
    peer: socket.remoteAddress,
    body: (most) => bodyOfNode(request, most),
  };
}

function askedByFetch(request: Request): Question {
  const { pathname, host } = new URL(request.url);
  const header = (name: string): string | undefined => request.headers.get(name) ?? undefined;
  const said = header("host");
  return {
    method: request.method,
    path: pathname,
    header,
    hosts: said === undefined || said === host ? [host] : [host, said],
    peer: undefined,
    body: (most) => bodyOfFetch(request, most),
  };
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

async function bodyOfNode(request: IncomingMessage, most: number): Promise<string | undefined> {
  // A framework may have read it before, and left it here.
  const { body } = request as { readonly body?: unknown };
  if (body !== undefined && request.readableEnded) return typeof body === "string" ? body : JSON.stringify(body);
  // Whoever sent too much is told so: the way back stays open.
  const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  return limited(parts, most, request.headers["content-length"]);
}

async function bodyOfFetch(request: Request, most: number): Promise<string | undefined> {
  return limited(request.body ?? [], most, request.headers.get("content-length") ?? undefined);
}

/** The whole text; undefined as soon as it is seen to be too long. An empty text when whoever sent it went away. */
async function limited(
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  most: number,
  said: string | undefined,
): Promise<string | undefined> {
  if (Number(said ?? 0) > most) return undefined;
  const read: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of parts) {
      length += part.length;
      if (length > most) return undefined;
      read.push(part);
    }
  } catch {
    return "";
  }
  return Buffer.concat(read).toString("utf8");
}
