/** One connection to a node, for questions only: no statement of it can write, and none is waited for without a limit. */
import type { Socket } from "node:net";
import type { Connection, NodeState, QueryResult, Statement } from "@breakwater/core";
import type { PgClient, PgConfig } from "@breakwater/pg";
import { postgres } from "@breakwater/postgres";
import pg from "pg";

/** Longest that the server may work on one question, in milliseconds. */
const QUESTION_MS = 3_000;

/** Nothing can be written. A replica refuses serializable transactions: where that is the role's default, it has to be told as such. */
const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/** Not allowed, not there, not supported, not in this state, too slow: what is told by one question does not matter. */
const REFUSALS: ReadonlySet<string> = new Set(["42501", "42883", "42703", "42P01", "0A000", "55000", "57014"]);

/** Whether an error says that the server would not answer one question, and is well otherwise. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(String((error as { readonly code?: unknown } | null)?.code));
}

type Row = Readonly<Record<string, unknown>>;

export class Session {
  readonly #client: PgClient;
  readonly #send: (text: string) => Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#send = (text) => client.query(text);
    // A connection that is lost between two questions is told by the next.
    client.on("error", () => undefined);
  }

  /** @throws the driver's error, or one that says that the time was over. */
  static async open(config: PgConfig, limitMs: number): Promise<Session> {
    const client = new pg.Client({
      fallback_application_name: "breakwater doctor",
      ...config,
      // The limit here holds for name, link, TLS and password together.
      connectionTimeoutMillis: 0,
    } as pg.ClientConfig);
    const session = new Session(client);
    guard(client as never);
    try {
      await session.within(limitMs, client.connect());
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  get host(): string {
    return this.#client.host ?? "";
  }

  get tls(): boolean {
    const stream = this.#client.connection?.stream as { readonly encrypted?: boolean } | undefined;
    return stream?.encrypted === true;
  }

  /** The number that the other side gave for itself when the connection began. */
  get processId(): number | undefined {
    return this.#client.processID ?? undefined;
  }

  /** One at a time: pg takes no second query before the first has ended. */
  #query(text: string): Promise<unknown> {
    const sent = this.#last.then(() => this.#send(text));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  /** The rows of a question, asked in a transaction that cannot write. `limited` is false where the limit would be seen. */
  async ask(text: string, limited = true): Promise<readonly Row[]> {
    const limit = limited ? `SET LOCAL statement_timeout = ${QUESTION_MS}; ` : "";
    try {
      const results = await this.#query(`${BEGIN}; ${limit}${text}; COMMIT`);
      // Of what is no PostgreSQL there may be one, or none.
      return ([results].flat().at(-2) as QueryResult<Row> | undefined)?.rows ?? [];
    } catch (error) {
      if (isRefusal(error)) await this.#query("ROLLBACK");
      throw error;
    }
  }

  /** The rows of a command that knows no transactions, as a pooler's console does not. */
  async askPlainly(text: string): Promise<readonly Row[]> {
    return ((await this.#query(text)) as QueryResult<Row>).rows;
  }

  /** Role, cluster, timeline and position, as the router asks for them. */
  probe(): Promise<NodeState> {
    const query = async ({ text }: Statement): Promise<unknown> => ({ rows: await this.ask(text) });
    return postgres.probe({ driver: this.#client, query } as unknown as Connection);
  }

  /** Waits for work on this session, and destroys it when that takes too long. */
  async within<T>(limitMs: number, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(Object.assign(new Error(`no answer within ${limitMs} ms`), { code: NO_ANSWER }));
        this.destroy();
      }, limitMs);
    });
    // What is given up may still fail, when nobody listens any more.
    work.catch(() => undefined);
    try {
      return await Promise.race([work, over]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it politely. */
  async end(): Promise<void> {
    await this.within(1_000, this.#client.end()).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#client.connection?.stream?.destroy();
  }
}

/** What reads the server's messages. */
interface Reader {
  readonly connection: { attachListeners(stream: Socket): void };
}

/** pg throws at a message that is none, in the midst of its socket's event: nobody could catch that. Here the link ends by it. */
function guard({ connection }: Reader): void {
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    attach(stream);
    for (const listener of stream.listeners("data") as ((chunk: unknown) => void)[]) {
      stream.off("data", listener);
      stream.on("data", (chunk: unknown) => {
        try {
          listener.call(stream, chunk);
        } catch (error) {
          stream.destroy(error as Error);
        }
      });
    }
  };
}

/** Code of the error of {@link Session.within}. */
export const NO_ANSWER = "NO_ANSWER";
