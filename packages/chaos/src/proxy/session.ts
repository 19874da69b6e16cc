/**
 * Follows the conversation of one connection, decides for each statement, and keeps the two sides apart where a fault says so.
 * Knows the protocol, but no sockets.
 *
 * The state that all hangs on is the list of answers that the server still owes: each ends with one ReadyForQuery.
 */
import { FrameWalker, type Verdict } from "./frames.ts";
import type { Strike } from "./fault.ts";
import * as messages from "./messages.ts";
import { Startup } from "./startup.ts";

/** What a session does to its two sockets, and whom it asks. */
export interface SessionLink {
  toServer(bytes: Buffer): void;
  toClient(bytes: Buffer): void;
  /** Cuts the client off by a reset; the server's side stays. */
  resetClient(): void;
  /** Sends what is on its way to the client, then ends its side. */
  endClient(): void;
  /** Ends the server's side. */
  dropServer(): void;
  /** Whether anybody wants to hear of statements at all. */
  readonly watched: boolean;
  /** Called with the text of each statement while `watched`. */
  decide(text: string): Strike | undefined;
}

/** An answer that the server owes, up to its ReadyForQuery. */
interface Answer {
  /** Whether the client has sent what makes the server end it. */
  synced: boolean;
  readonly extended: boolean;
  executed: number;
  answered: number;
  /** Swallowed; the number of the Execute that was struck. */
  swallowFrom?: number;
  /** Goes in the place of the server's error about our failing statement. */
  error?: Buffer;
  /** Sent when the answers before this one are through. */
  fatal?: Buffer;
}

const { client, server } = messages;

/** Messages that name a statement or portal. */
const named: ReadonlySet<number> = new Set([client.parse, client.bind, client.execute, client.close]);
/** ReadyForQuery: not in a transaction. */
const idle = 0x49;

export class Session {
  readonly #link: SessionLink;
  readonly #startup: Startup;
  readonly #fromClient: FrameWalker;
  readonly #fromServer: FrameWalker;
  readonly #answers: Answer[] = [];
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  /** Nothing that the client sends matters any more. */
  #deaf = false;
  /** What ends the connection, once all that came before has been passed on. */
  #ending: (() => void) | undefined;
  /** The client is cut off as soon as the server has what it needs. */
  #silent = false;
  /** The server ignored a Sync because a COPY had begun; the next one counts for the same answer. */
  #resync = false;

  constructor(link: SessionLink) {
    this.#link = link;
    this.#startup = new Startup();
    this.#fromClient = new FrameWalker({
      look: (type) => (named.has(type) || (type === client.query && link.watched) ? Number.POSITIVE_INFINITY : 0),
      visit: (type, bytes) => this.#visitClient(type, bytes),
      emit: (bytes) => link.toServer(bytes),
    });
    this.#fromServer = new FrameWalker({
      look: (type) =>
        type === server.errorResponse ? Number.POSITIVE_INFINITY : type === server.readyForQuery ? 1 : 0,
      visit: (type, bytes) => this.#visitServer(type, bytes),
      emit: (bytes) => link.toClient(bytes),
    });
  }

  /** True while the server has to be let finish although the client is gone. */
  get finishing(): boolean {
    const struck = this.#answers.find((answer) => answer.swallowFrom !== undefined);
    return struck !== undefined && struck.synced && !this.#fromClient.inMessage;
  }

  clientSent(chunk: Buffer): void {
    let bytes: Buffer | undefined = chunk;
    if (!this.#startup.clientDone) {
      bytes = this.#startup.clientSent(chunk, (first) => this.#link.toServer(first));
      if (this.#startup.clientDone && !this.#startup.raw) this.#owe({ synced: true, extended: false });
    }
    if (bytes === undefined) return;
    if (this.#startup.raw) this.#link.toServer(bytes);
    else {
      this.#fromClient.feed(bytes);
      if (this.#silent && this.finishing) this.#link.resetClient();
    }
  }

  serverSent(chunk: Buffer): void {
    const bytes = this.#startup.serverSent(chunk, (first) => this.#link.toClient(first));
    if (bytes === undefined) return;
    if (this.#startup.raw) this.#link.toClient(bytes);
    else {
      this.#fromServer.feed(bytes);
      this.#ending?.();
    }
  }

  #visitClient(type: number, bytes: Buffer): Verdict {
    if (this.#deaf && !this.#belongsToCopy(type)) return "drop";
    switch (type) {
      case client.query: {
        const answer = this.#current(false);
        answer.synced = true;
        if (!this.#link.watched) return "pass";
        return this.#judge(messages.cString(bytes, 5), answer, messages.failingQuery);
      }
      case client.functionCall:
        this.#owe({ synced: true, extended: false });
        return "pass";
      case client.parse: {
        const name = messages.cString(bytes, 5);
        this.#statements.set(name, messages.cString(bytes, 6 + Buffer.byteLength(name)));
        break;
      }
      case client.bind: {
        const portal = messages.cString(bytes, 5);
        const statement = messages.cString(bytes, 6 + Buffer.byteLength(portal));
        this.#portals.set(portal, this.#statements.get(statement) ?? "");
        break;
      }
      case client.close: {
        const names = bytes[5] === client.sync ? this.#statements : this.#portals;
        names.delete(messages.cString(bytes, 6));
        break;
      }
      case client.execute: {
        const answer = this.#current(true);
        answer.executed++;
        if (!this.#link.watched) return "pass";
        const text = this.#portals.get(messages.cString(bytes, 5)) ?? "";
        return this.#judge(text, answer, messages.failingExecute);
      }
      case client.sync:
        if (this.#resync) this.#resync = false;
        else this.#current(true).synced = true;
        // What follows the struck statement's batch is lost with the connection.
        if (this.#answers.at(-1)?.swallowFrom !== undefined) this.#deaf = true;
        return "pass";
      case client.flush: {
        const answer = this.#current(true);
        if (!this.#silent || answer.swallowFrom === undefined) return "pass";
        // The client would send its Sync later, but will not be there any more.
        answer.synced = true;
        this.#deaf = true;
        return messages.syncMessage;
      }
      case client.describe:
        break;
      default:
        return "pass";
    }
    this.#current(true);
    return "pass";
  }

  #visitServer(type: number, bytes: Buffer): Verdict {
    const [answer] = this.#answers;
    if (answer === undefined) return "pass";
    const swallowed = answer.swallowFrom !== undefined;
    switch (type) {
      case server.readyForQuery:
        this.#answers.shift();
        // Portals end with their transaction, and nobody is about to run one.
        if (bytes[5] === idle && this.#answers.length === 0) this.#portals.clear();
        if (swallowed) this.#ending = () => this.#cut();
        else if (this.#answers[0]?.fatal !== undefined) {
          const { fatal } = this.#answers[0];
          this.#ending = () => this.#failFatally(fatal);
        }
        break;
      case server.copyIn:
      case server.copyBoth:
        if (answer.extended && answer.synced) this.#resync = true;
        // The client has to send its rows first; only the end is kept from it.
        return "pass";
      case server.errorResponse:
        answer.answered = answer.executed;
        if (!swallowed && answer.error !== undefined && bytes.includes(messages.failureMark)) return answer.error;
        this.#endUnsynced(answer);
        break;
      case server.commandComplete:
      case server.emptyQuery:
      case server.portalSuspended:
        answer.answered++;
        this.#endUnsynced(answer);
        break;
    }
    return swallowed ? "drop" : "pass";
  }

  /** A struck COPY ends only when its rows have arrived. */
  #belongsToCopy(type: number): boolean {
    const rows = type === client.copyData || type === client.copyDone || type === client.copyFail;
    return rows || (type === client.sync && this.#resync);
  }

  /** A client that only flushed waits for the struck answer before it would send its Sync, so it never would. */
  #endUnsynced(answer: Answer): void {
    if (answer.swallowFrom === undefined || answer.synced || answer.answered < answer.swallowFrom) return;
    answer.synced = true;
    this.#deaf = true;
    this.#link.toServer(messages.syncMessage);
  }

  #judge(text: string, answer: Answer, failing: Buffer): Verdict {
    const strike = this.#link.decide(text);
    if (strike === undefined) return "pass";
    if (strike.kind === "cut-before") {
      this.#deaf = true;
      this.#cut();
      return "drop";
    }
    if (strike.kind === "drop-reply") {
      answer.swallowFrom = answer.executed;
      if (!answer.extended) this.#deaf = true;
      this.#silent = strike.wait === "none";
      return "pass";
    }
    const error = messages.errorResponse(strike.error);
    if (strike.error.severity === "ERROR") {
      answer.error = error;
      return failing;
    }
    this.#deaf = true;
    answer.fatal = error;
    if (this.#answers[0] === answer) this.#failFatally(error);
    return "drop";
  }

  /** The answer that belongs to what the client sends now. */
  #current(extended: boolean): Answer {
    const last = this.#answers.at(-1);
    return last !== undefined && !last.synced ? last : this.#owe({ synced: false, extended });
  }

  #owe(kind: Pick<Answer, "synced" | "extended">): Answer {
    const answer = { ...kind, executed: 0, answered: 0 };
    this.#answers.push(answer);
    return answer;
  }

  #cut(): void {
    this.#link.resetClient();
    this.#link.dropServer();
  }

  #failFatally(error: Buffer): void {
    this.#link.toClient(error);
    this.#link.endClient();
    this.#link.dropServer();
  }
}
