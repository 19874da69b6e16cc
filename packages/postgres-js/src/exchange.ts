/**
 * Speaks with the server over the link of a connection, past postgres.js: many statements in one flight, portals, COPY.
 *
 * Only while postgres.js itself waits for nothing. It hears nothing of it but what concerns it: notices, and parameters of
 * the session.
 */
import { Frames } from "./frames.ts";
import type { Link } from "./types.ts";
import { errorFields, type Wire } from "./wire.ts";

const code = (letter: string): number => letter.charCodeAt(0);
const READY = code("Z");
const ERROR = code("E");
/** NoticeResponse and ParameterStatus: postgres.js goes on hearing them. */
const PASSED_ON: ReadonlySet<number> = new Set([code("N"), code("S")]);
const KEPT: ReadonlySet<number> = new Set(Array.from("ZENSCDTtdGH", code));

type DataListener = (chunk: Buffer) => void;

/** Who takes part in one exchange. */
export interface Party {
  /** Sends what comes first. What it throws has not been sent. */
  begin(): void;
  /** Hears a message of the server. */
  heard(type: number, body: Buffer): void;
  /** The server has refused something; the exchange goes on until it is ready again. */
  refused?(): void;
  /** It is over, well or not. */
  ended?(): void;
  /** What the error of an exchange that failed means to it. */
  failed?(error: unknown): unknown;
  /** An error of our own, for which the server was made to undo whatever it had done before. */
  readonly undone?: { readonly error: unknown } | undefined;
  /** @throws what went wrong here, and the server knows nothing of. */
  check?(): void;
}

/** What an exchange needs of its connection. */
export interface Line {
  readonly link: Link;
  readonly wire: Wire;
  /** The error of a link that was lost. */
  readonly lost: (error: unknown) => unknown;
  /** The error that the server's fields are. */
  readonly raised: (fields: Readonly<Record<string, string>>) => Error;
}

/** Runs one exchange. Rejects with the server's first error, when it is ready again, or with the end of the link. */
export function exchange({ link, wire, lost, raised }: Line, party: Party): Promise<void> {
  const theirs = link.listeners("data").filter((listener) => listener !== wire.listener) as DataListener[];
  return new Promise((resolve, reject) => {
    let refusal: Error | undefined;
    let failure: unknown;
    const over = (settle: () => void): void => {
      link.removeListener("data", take);
      link.removeListener("error", failed);
      link.removeListener("close", closed);
      if (!link.destroyed) for (const listener of theirs) link.on("data", listener);
      party.ended?.();
      settle();
    };
    const failed = (error: unknown): void => void (failure ??= error);
    const closed = (): void => over(() => reject(lost(failure)));
    const frames = new Frames(KEPT, (type, body) => {
      if (PASSED_ON.has(type)) for (const listener of theirs) listener(frame(type, body));
      else if (type === ERROR) {
        refusal ??= raised(errorFields(body));
        party.refused?.();
      } else if (type !== READY) party.heard(type, body);
      else if (wire.ready) over(() => (refusal === undefined ? resolve() : reject(refusal)));
    });
    const take = (chunk: Buffer): void => frames.take(chunk);
    for (const listener of theirs) link.removeListener("data", listener);
    link.on("data", take);
    link.on("error", failed);
    link.on("close", closed);
    try {
      party.begin();
    } catch (error) {
      over(() => reject(error));
    }
  });
}

function frame(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
