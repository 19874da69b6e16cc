/** What is answered to what is asked, whichever way it came. */
import { Access, type Asked, type Refusal } from "./access.ts";
import { act, complaintOf } from "./actions.ts";
import type { CheckedStatusOptions } from "./options.ts";
import { loadPage, type Page } from "./page.ts";
import type { StatusReport } from "./report.ts";
import { Readiness } from "./readiness.ts";
import type { EventNumbers } from "./recent-events.ts";
import { Watched } from "./watched.ts";
import type { Database } from "@breakwater/core";

/** A request, as far as it matters here. */
export interface Question extends Asked {
  readonly method: string;
  /** As it was sent: nothing in it is resolved. */
  readonly path: string;
  /** The body as text; undefined when it is longer than `most` bytes. */
  readonly body: (most: number) => Promise<string | undefined>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Longest body of an action, in bytes. */
const MAX_BODY = 16_384;
/** Those who ask within so many milliseconds get the same text: a hundred viewers cost little more than one. */
const SHARED_MS = 200;

const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
} as const;
/** What is no page may do nothing, should a browser take it for one. */
const NO_PAGE = { "content-security-policy": "default-src 'none'; frame-ancestors 'none'" } as const;

/** The databases of one handler, and its answers. */
export class Answers {
  readonly #options: CheckedStatusOptions;
  readonly #access: Access;
  readonly #databases: readonly Watched[];
  readonly #readiness: Readiness;
  readonly #begunMs: number;
  #page: Promise<Page> | undefined;
  #shared: { readonly text: string; readonly atMs: number } | undefined;
  #closed = false;

  constructor(databases: ReadonlyMap<string, Database>, options: CheckedStatusOptions) {
    const numbers: EventNumbers = { next: 1 };
    this.#options = options;
    this.#access = new Access(options);
    this.#databases = [...databases].map(
      ([name, db]) => new Watched(name, db, options.maxEvents, numbers, options.clock),
    );
    this.#readiness = new Readiness([...databases.values()], options.clock);
    this.#begunMs = options.clock.now();
  }

  report(): StatusReport {
    return {
      format: 1,
      time: new Date().toISOString(),
      uptimeMs: Math.round(this.#options.clock.now() - this.#begunMs),
      actions: this.#options.token !== undefined,
      databases: this.#databases.map((each) => each.report()),
    };
  }

  close(): void {
    this.#closed = true;
    for (const each of this.#databases) each.close();
  }

  /** Never rejects. */
  async answer(question: Question): Promise<Answer> {
    try {
      return await this.#answer(question);
    } catch (error) {
      // What it is stays here: it may say anything.
      process.emitWarning(`a status request failed: ${error instanceof Error ? error.message : String(error)}`, {
        code: "BREAKWATER_STATUS",
      });
      return refused({ status: 500, error: "the request could not be answered" });
    }
  }

  async #answer(question: Question): Promise<Answer> {
    const refusal = this.#access.enters(question);
    if (refusal !== undefined) return refused(refusal);
    const route = this.#routeOf(question.path);
    if (route === undefined) return refused({ status: 404, error: "there is nothing here" });
    const allowed = route === "/actions" ? "POST" : "GET, HEAD";
    if (!allowed.split(", ").includes(question.method))
      return refused({ status: 405, error: `only ${allowed}` }, { allow: allowed });
    if (this.#closed) return refused({ status: 503, error: "the status handler has been closed" });
    switch (route) {
      case "/status.json":
        return this.#json(question);
      case "/healthz":
        return json(200, '{"status":"ok"}');
      case "/readyz": {
        const status = await this.#readiness.ask();
        return json(status === "down" ? 503 : 200, JSON.stringify({ status }));
      }
      case "/actions":
        return this.#act(question);
      default:
        return this.#pageAnswer();
    }
  }

  /** The part of the path after the base. Compared as it is, so that there is nothing to climb out of. */
  #routeOf(path: string): Route | undefined {
    const { basePath } = this.#options;
    if (!path.startsWith(basePath)) return undefined;
    const route = path.slice(basePath.length) || "/";
    return ROUTES.find((each) => each === route);
  }

  #json(question: Question): Answer {
    const refusal = this.#access.reads(question);
    if (refusal !== undefined) return refused(refusal);
    const nowMs = this.#options.clock.now();
    if (this.#shared === undefined || nowMs - this.#shared.atMs >= SHARED_MS)
      this.#shared = { text: JSON.stringify(this.report()), atMs: nowMs };
    return json(200, this.#shared.text);
  }

  async #act(question: Question): Promise<Answer> {
    const refusal = this.#access.acts(question);
    if (refusal !== undefined) return refused(refusal);
    // A form of another site cannot send this type without asking first, and is never told that it may.
    if (!/^application\/json *(?:;|$)/i.test(question.header("content-type") ?? ""))
      return refused({ status: 415, error: "the body must be application/json" });
    const body = await question.body(MAX_BODY);
    if (body === undefined) return refused({ status: 413, error: `the body is longer than ${MAX_BODY} bytes` });
    try {
      await act(this.#databases, body);
    } catch (error) {
      const complaint = complaintOf(error);
      if (complaint === undefined) throw error;
      return refused({ status: 400, error: complaint });
    }
    this.#shared = undefined;
    return json(200, '{"ok":true}');
  }

  async #pageAnswer(): Promise<Answer> {
    // Read once, and again when that has failed.
    this.#page ??= loadPage().catch((error: unknown) => {
      this.#page = undefined;
      throw error;
    });
    const { html, policy } = await this.#page;
    return {
      status: 200,
      headers: { ...HEADERS, "content-security-policy": policy, "content-type": "text/html; charset=utf-8" },
      body: html,
    };
  }
}

const ROUTES = ["/", "/status.json", "/healthz", "/readyz", "/actions"] as const;
type Route = (typeof ROUTES)[number];

function json(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { ...HEADERS, ...NO_PAGE, "content-type": "application/json; charset=utf-8", ...headers },
    body,
  };
}

function refused({ status, error }: Refusal, headers: Readonly<Record<string, string>> = {}): Answer {
  const challenge = status === 401 ? { "www-authenticate": 'Bearer realm="breakwater"' } : {};
  return json(status, JSON.stringify({ error }), { ...headers, ...challenge });
}
