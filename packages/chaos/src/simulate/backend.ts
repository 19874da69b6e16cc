/**
 * One connection as its server sees it: the transaction that is open, and what a statement does.
 */
import type { QueryResult, TransactionStatus } from "@breakwater/core";
import { SimulatedError } from "./dialect.ts";
import { type Command, isWrite, type Verb } from "./statement.ts";
import type { Change, Tables } from "./tables.ts";

/** What a backend needs of its server. */
export interface Server {
  readonly name: string;
  readonly role: "primary" | "replica";
  readonly tables: Tables;
  readonly timeline: number;
  /** Position of the last commit in the log, visible or not. */
  readonly written: number;
  /** One uninterrupted life of this server, as a text. */
  readonly life: string;
  /** Transactions that run, by number. */
  readonly running: Map<number, Backend>;
  /** Puts a commit into the log; calls `done` once it is visible and may be acknowledged. */
  commit(transaction: number, changes: readonly Change[], done: () => void): void;
  /** Ends a connection from the server's side. */
  end(backend: Backend): void;
}

interface Open {
  readonly changes: Change[];
  readonly strict: boolean;
  readonly readOnly: boolean;
  /** What was visible when it began. */
  readonly from: number;
  readonly touched: Set<string>;
  readonly savepoints: { readonly name: string; readonly changes: number }[];
  number: number | undefined;
  failed: boolean;
}

const NO_FIELDS: QueryResult["fields"] = Object.freeze([]);

function result(command: string, rows: Record<string, unknown>[] = []): QueryResult {
  return { rows, rowCount: rows.length, command, fields: NO_FIELDS };
}

/** What the client is told: an answer or an error, and how the transaction stands. */
export interface Reply {
  readonly answer?: QueryResult;
  readonly error?: SimulatedError;
  readonly status: TransactionStatus;
}

export class Backend {
  readonly #server: Server;
  readonly pid: number;
  /** What the other end is told when the server ends the connection. */
  readonly onEnd: (code: string) => void;
  #open: Open | undefined;
  /** The client was sent away, or has gone and nothing runs for it any more. */
  closed = false;
  /** The client has gone; what runs is carried out all the same. */
  leaving = false;
  /** The client asked to stop what runs. */
  cancelled = false;
  /** Statements that have arrived and are not answered. */
  busy = 0;

  constructor(server: Server, pid: number, onEnd: (code: string) => void) {
    this.#server = server;
    this.pid = pid;
    this.onEnd = onEnd;
  }

  get status(): TransactionStatus {
    if (this.#open === undefined) return "idle";
    return this.#open.failed ? "failed" : "open";
  }

  /** Runs the commands of one text, and calls `reply` when they are answered. */
  run(commands: readonly Command[], reply: (reply: Reply) => void): void {
    const answers: QueryResult[] = [];
    const step = (at: number): void => {
      const command = commands[at];
      if (command === undefined) {
        const [only] = answers;
        const answer = answers.length === 1 ? only : (answers as unknown as QueryResult);
        reply({ answer: answer ?? result(""), status: this.status });
        return;
      }
      try {
        this.#one(command, (answer) => {
          answers.push(answer);
          step(at + 1);
        });
      } catch (error) {
        if (this.#open !== undefined) this.#open.failed = true;
        reply({ error: error as SimulatedError, status: this.status });
      }
    };
    step(0);
  }

  /** Forgets the open transaction. */
  abort(): void {
    const number = this.#open?.number;
    if (number !== undefined) this.#server.running.delete(number);
    this.#open = undefined;
  }

  /** A statement was ended before it was carried out. */
  fail(): void {
    if (this.#open !== undefined) this.#open.failed = true;
  }

  #one(command: Command, done: (answer: QueryResult) => void): void {
    const { verb, key } = command;
    if (this.#open?.failed === true && verb !== "rollback" && verb !== "commit" && verb !== "back-to") {
      throw new SimulatedError("25P02", "the transaction has failed; commands are ignored until its end");
    }
    if (verb === "commit") this.#commit(done);
    else if (isWrite(verb)) this.#write(command, done);
    else done(this.#read(verb, key, command.value));
  }

  #write({ verb, key, value }: Command, done: (answer: QueryResult) => void): void {
    const server = this.#server;
    if (verb === "unknown") throw new SimulatedError("42601", "not a command of the simulated server");
    if (server.role === "replica" || this.#open?.readOnly === true) {
      throw new SimulatedError("25006", "cannot write in a read-only transaction");
    }
    if (verb === "identify") {
      done(result("SELECT", [{ id: String(this.#number()), pid: this.pid }]));
      return;
    }
    if (verb === "end") {
      const other = server.running.get(Number(key));
      if (other !== undefined) server.end(other);
      done(result("SELECT"));
      return;
    }
    const change = { verb: verb as Change["verb"], key, value };
    if (this.#open !== undefined) {
      this.#number();
      this.#open.changes.push(change);
      this.#open.touched.add(key);
      done(result("INSERT"));
      return;
    }
    const { tables } = server;
    server.commit(tables.nextTransaction++, [change], () => done(result("INSERT")));
  }

  /** The number of the open transaction, which it gets when it first needs one. */
  #number(): number {
    const { tables, running } = this.#server;
    if (this.#open === undefined) return tables.nextTransaction++;
    if (this.#open.number === undefined) {
      this.#open.number = tables.nextTransaction++;
      running.set(this.#open.number, this);
    }
    return this.#open.number;
  }

  #commit(done: (answer: QueryResult) => void): void {
    const open = this.#open;
    const { tables, running } = this.#server;
    if (open === undefined || open.failed) {
      this.abort();
      done(result(open === undefined ? "COMMIT" : "ROLLBACK"));
      return;
    }
    if (open.strict && [...open.touched].some((key) => tables.changedAfter(key, open.from))) {
      this.abort();
      throw new SimulatedError("40001", "could not serialize access: a key was changed by another transaction");
    }
    if (open.changes.length === 0 || open.number === undefined) {
      this.abort();
      done(result("COMMIT"));
      return;
    }
    const { number } = open;
    this.#server.commit(number, open.changes, () => {
      running.delete(number);
      this.#open = undefined;
      done(result("COMMIT"));
    });
  }

  #read(verb: Verb, key: string, value: unknown): QueryResult {
    const { tables, role, timeline, written, life, running } = this.#server;
    const own = this.#open?.changes.filter((change) => change.key === key) ?? [];
    this.#open?.touched.add(key);
    switch (verb) {
      case "get":
        return result("SELECT", [
          { value: own.findLast((c) => c.verb === "set")?.value ?? tables.registers.get(key) ?? null },
        ]);
      case "copies":
        return result("SELECT", [
          { copies: (tables.rows.get(key) ?? 0) + own.filter((c) => c.verb === "insert").length },
        ]);
      case "count": {
        const added = own.reduce((sum, c) => sum + (c.verb === "add" ? Number(c.value) : 0), 0);
        return result("SELECT", [{ count: (tables.counters.get(key) ?? 0) + added }]);
      }
      case "list": {
        const appended = own.filter((c) => c.verb === "append").map((c) => c.value);
        return result("SELECT", [{ elements: [...(tables.lists.get(key) ?? []), ...appended] }]);
      }
      case "begin":
        this.#begin([key, String(value)]);
        return result("BEGIN");
      case "rollback":
        this.abort();
        return result("ROLLBACK");
      case "savepoint":
        this.#open?.savepoints.push({ name: key, changes: this.#open.changes.length });
        return result("SAVEPOINT");
      case "back-to":
        this.#backTo(key);
        return result("ROLLBACK TO");
      case "fail":
        throw new SimulatedError(key, "the statement asked to fail");
      case "probe":
        return result("SELECT", [{ role, timeline, position: role === "primary" ? written : tables.position }]);
      case "position":
        return result("SELECT", [{ timeline, position: written }]);
      case "life":
        // A standby's connections may outlive its promotion: what it says of itself would be wrong by then.
        if (role === "replica") throw new SimulatedError("25006", "recovery is in progress");
        return result("SELECT", [{ life }]);
      case "status": {
        const status = running.has(Number(key)) ? "in progress" : tables.status(Number(key));
        return result("SELECT", [{ status, life: role === "primary" ? life : null }]);
      }
      default:
        return result("SELECT", [{ answer: 1 }]);
    }
  }

  #begin(modes: readonly string[]): void {
    this.abort();
    this.#open = {
      changes: [],
      strict: modes.includes("serializable"),
      readOnly: modes.includes("read-only"),
      from: this.#server.tables.position,
      touched: new Set(),
      savepoints: [],
      number: undefined,
      failed: false,
    };
  }

  #backTo(name: string): void {
    const open = this.#open;
    const savepoint = open?.savepoints.findLast((each) => each.name === name);
    if (open === undefined || savepoint === undefined) throw new SimulatedError("3B001", "no such savepoint");
    open.changes.length = savepoint.changes;
    open.failed = false;
  }
}
