/**
 * Follows the conversation of one connection, decides for each statement, and keeps the two sides apart where a fault says so.
 * Knows the protocol, but no sockets.
 *
 * The state that all hangs on is the list of answers that the server still owes: each ends with one ReadyForQuery.
 */
import { FrameWalker, type Verdict } from "./frames.ts";
import { type Answer, Answers } from "./answers.ts";
import { HotStandby } from "./hot-standby.ts";
import * as messages from "./messages.ts";
import { Prepared } from "./prepared.ts";
import type { SessionLink } from "./session-link.ts";
import { Startup } from "./startup.ts";

const { client, server } = messages;

/** Messages that name a statement or portal. */
const named: ReadonlySet<number> = new Set([client.parse, client.bind, client.execute, client.close]);
/** Messages of the server that are read, and not only counted. */
const whole: ReadonlySet<number> = new Set([server.errorResponse, server.readyForQuery, server.parameterStatus]);
/** ReadyForQuery: not in a transaction. */
const idle = 0x49;

export class Session {
  readonly #link: SessionLink;
  readonly #startup: Startup;
  readonly #fromClient: FrameWalker;
  readonly #fromServer: FrameWalker;
  readonly #answers = new Answers();
  readonly #prepared = new Prepared();
  readonly #standby = new HotStandby();
  /** Nothing that the client sends matters any more. */
  #deaf = false;
  /** What ends the connection, once all that came before has been passed on. */
  #ending: (() => void) | undefined;
  /** The client is cut off as soon as the server has what it needs. */
  #silent = false;
  /** Nothing that the server says reaches the client any more. */
  #muted = false;
  /** The server gets the message that has begun, and then nothing. */
  #leaving = false;
  /** The client can be told of settings. */
  #ready = false;
  /** The server ignored a Sync because a COPY had begun; the next one counts for the same answer. */
  #resync = false;

  constructor(link: SessionLink) {
    this.#link = link;
    this.#startup = new Startup();
    this.#fromClient = new FrameWalker({
      look: (type) => (named.has(type) || (type === client.query && link.watched) ? Number.POSITIVE_INFINITY : 0),
      visit: (type, bytes) => this.#visitClient(type, bytes),
      delay: (type) => (this.#deaf ? 0 : link.delayOf("toServer", type)),
      hold: (ms) => link.delay("toServer", ms),
      emit: (bytes) => link.toServer(bytes),
    });
    this.#fromServer = new FrameWalker({
      look: (type) => (whole.has(type) ? Number.POSITIVE_INFINITY : 0),
      visit: (type, bytes) => this.#visitServer(type, bytes),
      delay: (type) => (this.#muted ? 0 : link.delayOf("toClient", type)),
      hold: (ms) => link.delay("toClient", ms),
      emit: (bytes) => link.toClient(bytes),
    });
  }

  /** True while the server has to be let finish although the client is gone. */
  get finishing(): boolean {
    const struck = this.#answers.swallowed;
    return struck !== undefined && struck.synced && !this.#fromClient.inMessage;
  }

  /** Whether statements pass that nobody can read. */
  get opaque(): boolean {
    return this.#startup.opaque;
  }

  /** Tells the client what it is to believe of `in_hot_standby`. @returns whether that was news. */
  tellStandby(): boolean {
    // Otherwise with the next ReadyForQuery.
    if (!this.#ready || this.#startup.raw || this.#muted || !this.#fromServer.betweenMessages) return false;
    const news = this.#standby.news(this.#link.standby);
    if (news !== undefined) this.#link.toClient(news);
    return news !== undefined;
  }

  clientSent(chunk: Buffer): void {
    let bytes: Buffer | undefined = chunk;
    if (!this.#startup.clientDone) {
      bytes = this.#startup.clientSent(chunk, (first) => this.#link.toServer(first));
      if (this.#startup.clientDone && !this.#startup.raw) this.#answers.owe({ synced: true, extended: false });
    }
    if (bytes === undefined) return;
    if (this.#startup.raw) this.#link.toServer(bytes);
    else {
      this.#fromClient.feed(bytes);
      if (this.#leaving && !this.#fromClient.inMessage) {
        this.#link.resetClient();
        this.#link.endServer();
      }
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
        const answer = this.#answers.current(false);
        answer.synced = true;
        if (!this.#link.watched) return "pass";
        return this.#judge(messages.cString(bytes, 5), answer, messages.failingQuery);
      }
      case client.functionCall:
        this.#answers.owe({ synced: true, extended: false });
        return "pass";
      case client.parse: {
        const text = this.#prepared.parse(bytes);
        if (this.#link.watched && this.#link.decide(text, "parse") !== undefined) {
          this.#deaf = true;
          this.#leaving = true;
        }
        break;
      }
      case client.bind:
        this.#prepared.bind(bytes);
        break;
      case client.close:
        this.#prepared.close(bytes);
        break;
      case client.execute: {
        const answer = this.#answers.current(true);
        answer.executed++;
        if (!this.#link.watched) return "pass";
        return this.#judge(this.#prepared.executed(bytes), answer, messages.failingExecute);
      }
      case client.sync:
        if (this.#resync) this.#resync = false;
        else this.#answers.current(true).synced = true;
        // What follows the struck statement's batch is lost with the connection.
        if (this.#answers.endWithLast) this.#deaf = true;
        return "pass";
      case client.flush: {
        const answer = this.#answers.current(true);
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
    this.#answers.current(true);
    return "pass";
  }

  #visitServer(type: number, bytes: Buffer): Verdict {
    if (this.#muted) return "drop";
    const answer = this.#answers.first;
    const swallowed = answer?.swallowFrom !== undefined;
    if (type === server.parameterStatus && !swallowed) {
      return this.#standby.says(bytes, this.#link.standby) ?? "pass";
    }
    if (answer === undefined) return "pass";
    switch (type) {
      case server.readyForQuery:
        this.#answers.given();
        this.#ready = true;
        // Nobody is about to run a portal.
        if (bytes[5] === idle && this.#answers.none) this.#prepared.endTransaction();
        if (answer.endless === true) {
          this.#muted = true;
          this.#ending = () => this.#cutLater();
          return "drop";
        }
        if (swallowed) this.#ending = () => this.#cut();
        else {
          const fatal = this.#answers.first?.fatal;
          if (fatal !== undefined) this.#ending = () => this.#failFatally(fatal);
        }
        return swallowed ? "drop" : this.#withNews(answer, bytes);
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
    const strike = this.#link.decide(text, "execute");
    switch (strike?.kind) {
      case "cut-before":
        this.#deaf = true;
        this.#cut();
        return "drop";
      case "drop-reply":
        answer.swallowFrom = answer.executed;
        if (!answer.extended) this.#deaf = true;
        this.#silent = strike.wait === "none";
        return "pass";
      case "cut-before-ready":
        answer.endless = true;
        if (!answer.extended) this.#deaf = true;
        return "pass";
      case "notice":
        answer.notice = Buffer.concat([answer.notice ?? Buffer.alloc(0), messages.noticeResponse(strike.notice)]);
        return "pass";
      case "inject":
        return this.#fail(answer, strike.error, failing);
      default:
        return "pass";
    }
  }

  /** Has the server fail in the statement's place, or ends the connection with the error. */
  #fail(answer: Answer, { severity, ...rest }: messages.ServerError, failing: Buffer): Verdict {
    const error = messages.errorResponse({ severity, ...rest });
    if (severity === "ERROR") {
      answer.error = error;
      return failing;
    }
    this.#deaf = true;
    answer.fatal = error;
    if (this.#answers.first === answer) this.#failFatally(error);
    return "drop";
  }

  /** A ReadyForQuery, and before it what the client has to hear besides. */
  #withNews(answer: Answer, ready: Buffer): Verdict {
    const news = [answer.notice, this.#standby.news(this.#link.standby)].filter((one) => one !== undefined);
    return news.length === 0 ? "pass" : Buffer.concat([...news, ready]);
  }

  #cut(): void {
    this.#link.resetClient();
    this.#link.dropServer();
  }

  #cutLater(): void {
    this.#link.resetClientLater();
    this.#link.dropServer();
  }

  #failFatally(error: Buffer): void {
    this.#link.toClient(error);
    this.#link.endClient();
    this.#link.dropServer();
  }
}
