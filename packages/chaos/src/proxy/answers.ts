/** The answers that a server owes its client, in order: each ends with one ReadyForQuery. */

/** An answer that the server owes, up to its ReadyForQuery. */
export interface Answer {
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
  /** Said before its end. */
  notice?: Buffer;
  /** Passes up to its ReadyForQuery, then the connection is cut. */
  endless?: boolean;
}

export class Answers {
  readonly #owed: Answer[] = [];

  /** The one that the server gives now. */
  get first(): Answer | undefined {
    return this.#owed[0];
  }

  get none(): boolean {
    return this.#owed.length === 0;
  }

  /** The answer that belongs to what the client sends now. */
  current(extended: boolean): Answer {
    const last = this.#owed.at(-1);
    return last !== undefined && !last.synced ? last : this.owe({ synced: false, extended });
  }

  owe(kind: Pick<Answer, "synced" | "extended">): Answer {
    const answer = { ...kind, executed: 0, answered: 0 };
    this.#owed.push(answer);
    return answer;
  }

  /** The first one has been given. */
  given(): void {
    this.#owed.shift();
  }

  /** The one whose end the client does not hear of. */
  get swallowed(): Answer | undefined {
    return this.#owed.find((answer) => answer.swallowFrom !== undefined);
  }

  /** Whether the connection ends with the last of them. */
  get endWithLast(): boolean {
    const last = this.#owed.at(-1);
    return last !== undefined && (last.swallowFrom !== undefined || last.endless === true);
  }
}
