/** What a statement's first word says about it. */
import { words } from "./effects.ts";

/**
 * Words that begin a statement which touches or depends on one connection.
 *
 * SHOW is among them: what it answers was set on a connection or differs from node to node. COPY needs the connection for
 * its data.
 */
const session: ReadonlySet<string> = new Set(
  words(`
    set reset discard prepare execute deallocate declare fetch move close listen unlisten load begin start commit end
    rollback abort savepoint release copy show
  `),
);

/** Whether the word begins a statement that belongs to one connection; `word` in any case. */
export function startsSession(word: string): boolean {
  return session.has(word.toLowerCase());
}
