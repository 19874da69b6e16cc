/** What a session needs of the connection that it follows. */
import type { Direction } from "./pump.ts";
import type { Moment } from "./rules.ts";
import type { Strike } from "./strike.ts";

/** What a session does to its two sockets, and whom it asks. */
export interface SessionLink {
  toServer(bytes: Buffer): void;
  toClient(bytes: Buffer): void;
  /** Cuts the client off by a reset; the server's side stays. */
  resetClient(): void;
  /** Sends what is on its way to the client, then ends its side. */
  endClient(): void;
  /** Sends what is on its way to the client, then cuts it off by a reset. */
  resetClientLater(): void;
  /** Sends what is on its way to the server, then ends its side. */
  endServer(): void;
  /** Ends the server's side. */
  dropServer(): void;
  /** What is sent that way from now on waits. */
  delay(direction: Direction, ms: number): void;
  /** Whether anybody wants to hear of statements at all. */
  readonly watched: boolean;
  /** Called with the text of each statement while `watched`. */
  decide(text: string, moment: Moment): Strike | undefined;
  /** How long a message is held back, in milliseconds. */
  delayOf(direction: Direction, type: number): number;
  /** What clients are told of `in_hot_standby`; undefined: the truth. */
  readonly standby: boolean | undefined;
}
