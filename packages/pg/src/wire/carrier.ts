/**
 * Sends the first statement of a transaction together with what begins it, before one Sync.
 */
import type { Carrier, QueryResult, Statement } from "@breakwater/core";
import { prepareValue } from "./driver-parts.ts";
import { Flight } from "./flight.ts";
import type { WireLink } from "./link.ts";

/** The connection that it belongs to hears how far it has come. */
export interface CarrierHost {
  /** Something is about to be sent. */
  sending(): void;
  /** The opening has failed; `cut` when nothing more may reach the server. */
  unbegun(cut: boolean): void;
}

export class WireCarrier implements Carrier {
  readonly #wire: WireLink;
  readonly #host: CarrierHost;
  // The caller may send by the client itself.
  #shown = false;
  // What begins the transaction has not been answered.
  #begins = false;

  constructor(wire: WireLink, host: CarrierHost) {
    this.#wire = wire;
    this.#host = host;
  }

  carries(first: Statement | undefined): boolean {
    return first === undefined ? this.#wire.free : this.#wire.takes(first);
  }

  made(first: Statement): Statement | undefined {
    try {
      return converted(first);
    } catch {
      return undefined;
    }
  }

  shown(): void {
    this.#shown = true;
    if (!this.#begins) this.#wire.leave();
  }

  begin(
    opening: readonly Statement[],
    first: Statement | undefined,
    opened: (answers: readonly QueryResult[]) => void,
  ): Promise<QueryResult | undefined> {
    const wire = this.#wire;
    this.#shown = false;
    this.#begins = true;
    this.#host.sending();
    // What the client is given meanwhile goes to the server when the link is the client's again, not before. If it is given
    // nothing, the link need not go back to it between two statements.
    wire.stays = true;
    return new Promise((resolve, reject) => {
      let answers: readonly QueryResult[] | undefined;
      let failure: { readonly error: unknown } | undefined;
      let end = (): void => resolve(undefined);
      let missing = 1;
      const ended = (): void => {
        missing -= 1;
        if (missing > 0) return;
        this.#begins = false;
        if (failure === undefined) opened(answers as readonly QueryResult[]);
        else this.#host.unbegun(this.#shown && wire.status === "I");
        if (this.#shown || failure !== undefined) wire.leave();
        if (failure === undefined) end();
        else reject(failure.error);
      };
      const parts = new Flight(
        opening.length,
        (results) => {
          answers = results;
          ended();
        },
        (error) => {
          failure = { error };
          ended();
        },
      );
      const last = first === undefined ? opening.length - 1 : opening.length;
      for (const [index, part] of opening.entries()) wire.send(part, parts, index < last ? "more" : "last");
      if (first !== undefined) {
        missing += 1;
        const answered = (result: QueryResult): void => {
          end = () => resolve(result);
          ended();
        };
        const failed = (error: unknown): void => {
          end = () => reject(error);
          ended();
        };
        wire.send(first, { answered, failed }, "last");
      }
      wire.flush();
    });
  }
}

/** A statement with its values as they are sent, for which a conversion of the caller's own may have to be asked. */
function converted(statement: Statement): Statement {
  const { values } = statement;
  if (values === undefined || values.every((value) => typeof value === "string" || typeof value === "number"))
    return statement;
  return Object.create(statement, { values: { value: values.map(prepareValue) } }) as Statement;
}
