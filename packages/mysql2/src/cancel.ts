/**
 * Asks a server to stop what a connection is running, over a second connection as there is no other way.
 */
import type { Mysql2Client } from "./types.ts";

/** Longest that it may take, in milliseconds. */
const CANCEL_MS = 1_000;

interface Running {
  readonly Id: number;
  readonly Info: string | null;
}

/**
 * Kills a connection that runs `text`. Never rejects: a server that cannot be asked will notice the closed connection in its
 * own time.
 *
 * Only for a connection that will be destroyed: a statement could have ended meanwhile, and the next would be hit. And only
 * when the server says that the number runs this text: behind one address there may be several servers, on each of which
 * the number is another's.
 */
export function killRunning(open: () => Mysql2Client, threadId: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    let link: Mysql2Client;
    const end = (): void => {
      clearTimeout(timer);
      link?.stream.destroy();
      resolve();
    };
    const timer = setTimeout(end, CANCEL_MS);
    try {
      link = open();
    } catch {
      end();
      return;
    }
    link.on("error", end);
    link.query({ sql: "SHOW FULL PROCESSLIST" }, (error, rows) => {
      const found = error || !Array.isArray(rows) ? undefined : (rows as Running[]).find(({ Id }) => Id === threadId);
      if (found === undefined || !isSame(found.Info, text)) end();
      else link.query({ sql: `KILL ${threadId}` }, end);
    });
  });
}

/** Whether the server runs a text; it may show the values in the place of their marks. */
function isSame(shown: string | null, text: string): boolean {
  const [start = ""] = text.split("?", 1);
  return shown?.trim().startsWith(start.trim()) === true;
}
