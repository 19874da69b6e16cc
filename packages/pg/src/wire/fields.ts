/**
 * What is said in an ErrorResponse or a NoticeResponse: fields of a letter and a text, and a zero behind the last
 * (PostgreSQL documentation, 54.7 and 54.8). Where that is missing, `pg` would read on for ever.
 */

/** Length of the beginning of a message. */
export const HEADER = 5;

/** Whether a message of this letter has fields. */
export function hasFields(letter: number | undefined): boolean {
  return letter === 0x45 || letter === 0x4e;
}

/** Follows the fields of one message, however it is cut into pieces. */
export class Fields {
  #inText = false;
  #ended = false;

  /** Whether their end has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Reads on, from `at` to before `end`. */
  follow(bytes: Buffer, at: number, end: number): void {
    for (let next = at; next < end && !this.#ended; next += 1) {
      if (bytes[next] !== 0) this.#inText = true;
      else if (this.#inText) this.#inText = false;
      else this.#ended = true;
    }
  }
}

/** A whole message. @throws Error in the words of `pg` when it has fields without an end. */
export function checkFields(message: Buffer): Buffer {
  if (!hasFields(message[0])) return message;
  const fields = new Fields();
  fields.follow(message, HEADER, message.length);
  if (!fields.ended) throw endless();
  return message;
}

/** The error for fields without an end. */
export function endless(): Error {
  return new Error("received invalid response: an error or notice without an end");
}
