/**
 * Asks a server to stop what a connection is running, over a second connection as the protocol wants it.
 */
import pg from "pg";
import type { PgClient } from "./types.ts";

/** Longest wait for the request to get through, in milliseconds. */
const CANCEL_MS = 1_000;

/** How long a link that was cut may take to say so, in milliseconds. */
const CUT_MS = 100;

interface CancelLink {
  connect(port: number | undefined, host: string | undefined): void;
  cancel(processId: number, secretKey: unknown): void;
  requestSsl(): void;
  on(event: string, listener: () => void): void;
  readonly stream: { destroy(): void; unref?(): void };
}

/**
 * Sends a CancelRequest and waits until the server has taken it (it closes the connection then). Never rejects: a server
 * that cannot be asked will notice the closed connection in its own time.
 *
 * Only for a connection that will be destroyed: the request may arrive after the statement has ended, and would then hit
 * whatever runs next.
 */
export function cancelRunning(client: PgClient): Promise<void> {
  const { processID, secretKey, host, port, ssl, sslNegotiation } = client;
  const Connection = (pg as unknown as { Connection?: new (config: object) => CancelLink }).Connection;
  if (Connection === undefined || processID === undefined || processID === null) return Promise.resolve();
  return new Promise((resolve) => {
    const link = new Connection({ ssl: ssl ?? false, sslNegotiation });
    let timer = setTimeout(() => end(), CANCEL_MS);
    const gone = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const end = (): void => {
      clearTimeout(timer);
      timer = setTimeout(gone, CUT_MS);
      link.stream.destroy();
    };
    const send = (): void => link.cancel(processID, secretKey);
    link.on("connect", () => {
      if (!ssl) send();
      else if (sslNegotiation !== "direct") link.requestSsl();
    });
    link.on("sslconnect", send);
    link.on("error", end);
    link.on("end", gone);
    try {
      if (host?.startsWith("/") === true)
        (link as unknown as { connect(path: string): void }).connect(`${host}/.s.PGSQL.${port}`);
      else link.connect(port, host);
    } catch {
      end();
    }
  });
}
