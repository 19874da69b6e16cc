/**
 * Opens the one link that a connection has in its life. postgres.js would open another when one is lost, and send over it
 * what was waiting; so it never opens any, and is given this one.
 */
import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Link, ReadOptions } from "./types.ts";

/** 80877103: the question whether the server speaks TLS (PostgreSQL documentation, 54.7). */
const SSL_REQUEST: Buffer = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** An error as postgres.js words it, with its code. */
export function linkError(code: string, options: ReadOptions): Error {
  const [host, port] = [options.host[0] ?? "", options.port[0] ?? 5432];
  const address = options.path || `${host}:${port}`;
  return Object.assign(new Error(`write ${code} ${address}`), { code, errno: code, address });
}

/** Connects, with TLS where it is asked for. An abort of `givenUp` ends the attempt at once, and rejects. */
export async function openLink(options: ReadOptions, givenUp: AbortSignal): Promise<Link> {
  givenUp.throwIfAborted();
  const plain = await abortable(await socketOf(options), givenUp, connected);
  if (options.ssl === false || options.ssl === undefined || options.ssl === null) return plain;
  const direct = options.sslnegotiation === "direct";
  if (!direct && !(await abortable(plain, givenUp, (link, resolve) => speaksTls(link, resolve)))) {
    if (options.ssl === "prefer") return plain;
    plain.destroy();
    throw linkError("SSL_NOT_SUPPORTED", options);
  }
  const secure = connectTls({
    socket: plain,
    ...(options.path || isIP(options.host[0] ?? "") !== 0 ? {} : { servername: options.host[0]! }),
    ...(direct ? { ALPNProtocols: ["postgresql"] } : {}),
    ...tlsOf(options.ssl),
  });
  await abortable(secure, givenUp, (link, resolve) => link.once("secureConnect", () => resolve(undefined)));
  return secure;
}

/** What postgres.js makes of its option `ssl`. */
function tlsOf(ssl: unknown): object {
  if (ssl === "require" || ssl === "allow" || ssl === "prefer") return { rejectUnauthorized: false };
  return typeof ssl === "object" && ssl !== null ? ssl : {};
}

async function socketOf(options: ReadOptions): Promise<Link> {
  if (options.socket !== undefined) return await options.socket(options);
  const socket = options.path
    ? connectSocket({ path: options.path })
    : connectSocket({ host: options.host[0] ?? "localhost", port: options.port[0] ?? 5432 });
  // The driver says how long a silent link is kept before it is asked.
  const { keep_alive: seconds } = options;
  if (typeof seconds === "number" && seconds > 0) socket.setKeepAlive(true, seconds * 1_000);
  return socket.setNoDelay(true);
}

function connected(link: Link, resolve: (link: Link) => void): void {
  // A stream of the user's own making is ready when it is given to us.
  if ((link as Partial<Socket>).connecting === true) link.once("connect", () => resolve(link));
  else resolve(link);
}

/** The server answers with one letter. More than it would be somebody else's, put before the handshake. */
function speaksTls(link: Link, resolve: (speaks: boolean) => void): void {
  link.once("data", (answer: Buffer) => {
    link.pause();
    if (answer.length !== 1) link.destroy(new Error("The server sent more than its answer before TLS"));
    else resolve(answer[0] === 83);
  });
  link.write(SSL_REQUEST);
}

/** Waits for one step; rejects when the link is lost or the attempt is given up. */
function abortable<T>(
  link: Link,
  givenUp: AbortSignal,
  step: (link: Link, resolve: (value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      link.removeListener("error", failed);
      link.removeListener("close", closed);
      givenUp.removeEventListener("abort", giveUp);
    };
    const failed = (error: Error): void => {
      end();
      link.on("error", () => undefined);
      link.destroy();
      reject(error);
    };
    const closed = (): void =>
      failed(Object.assign(new Error("write CONNECTION_CLOSED"), { code: "CONNECTION_CLOSED" }));
    const giveUp = (): void => failed(givenUp.reason as Error);
    link.once("error", failed);
    link.once("close", closed);
    givenUp.addEventListener("abort", giveUp, { once: true });
    if (givenUp.aborted) {
      giveUp();
      return;
    }
    step(link, (value) => {
      end();
      resolve(value);
    });
  });
}
