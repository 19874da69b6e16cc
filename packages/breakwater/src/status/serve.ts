/** A server of its own for the status handler: on this machine's own address unless told otherwise. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isIPv6 } from "node:net";
import { knownOptions, OptionError, text } from "@breakwater/core";
import { isLoopbackName } from "./access.ts";
import { statusHandler } from "./handler.ts";
import { STATUS_OPTIONS, type StatusOptions, type StatusSource } from "./options.ts";

/** Options of `serveStatus`. */
export interface ServeStatusOptions extends StatusOptions {
  /** A whole number from 0 to 65535; 0 for a free one. @default 0 */
  readonly port?: number;
  /**
   * Address or name to listen on. What is not this machine's own needs `hosts`, and with them a `token` or `read: "anyone"`.
   * @default "127.0.0.1"
   */
  readonly host?: string;
}

/** A running server. It does not keep the process alive. */
export interface StatusServer {
  /** Where the page is. */
  readonly url: string;
  /** Where it listens; the one that was found, for port 0. */
  readonly port: number;
  /** Ends it, and every connection to it. Idempotent. The databases stay open. */
  close(): Promise<void>;
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Longest that a request may take to arrive, in milliseconds. */
const REQUEST_MS = 10_000;
const MAX_CONNECTIONS = 256;

/**
 * Serves page, figures and actions. Resolves when it listens; rejects with the reason when it cannot.
 * @throws OptionError when an option is unknown or out of range, or others than this machine could reach it unprotected.
 */
export async function serveStatus(databases: StatusSource, options: ServeStatusOptions = {}): Promise<StatusServer> {
  const own = "serveStatus";
  const {
    port = 0,
    host = "127.0.0.1",
    ...status
  } = knownOptions(own, options, [...STATUS_OPTIONS, "port", "host"] as const);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new OptionError(`${own}.port`, port, "a whole number from 0 to 65535");
  text(`${own}.host`, host);
  const shown = isIPv6(host) ? `[${host}]` : host;
  if (!isLoopbackName(shown.toLowerCase()) && status.hosts === undefined)
    throw new OptionError(`${own}.host`, host, "an address of this machine's own, or together with hosts");
  const handler = statusHandler(databases, status);
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: REQUEST_MS },
    handler.node,
  );
  server.maxConnections = MAX_CONNECTIONS;
  // Whoever looks must not keep a process from ending.
  server.on("connection", (socket) => socket.unref());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    handler.close();
    throw error;
  }
  server.unref();
  const { port: found } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      handler.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closing;
  };
  return {
    url: `http://${shown}:${found}${(status.basePath ?? "").replace(/\/$/, "")}/`,
    port: found,
    close,
    [Symbol.asyncDispose]: close,
  };
}
