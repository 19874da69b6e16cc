/**
 * One stack for all clients of one configuration: what one of them learns of the servers, the others know.
 */
import type { Database } from "@breakwater/core";

/** How long a stack is kept when its last user has left, in milliseconds. It keeps no process alive meanwhile. */
const KEPT_MS = 1_000;

/** A stack that others may use as well. */
export interface SharedStack {
  readonly db: Database;
  /** Says that one user has left. The last one's leaving ends the stack a moment later. */
  leave(): void;
}

interface Kept {
  readonly db: Database;
  users: number;
  timer: NodeJS.Timeout | undefined;
}

const stacks = new Map<string, Kept>();

/** The stack of that name, made if there is none. */
export function enterStack(name: string, make: () => Database): SharedStack {
  let kept = stacks.get(name);
  if (kept === undefined) stacks.set(name, (kept = { db: make(), users: 0, timer: undefined }));
  const stack = kept;
  clearTimeout(stack.timer);
  stack.users += 1;
  let left = false;
  return {
    db: stack.db,
    leave: () => {
      if (left) return;
      left = true;
      stack.users -= 1;
      if (stack.users > 0) return;
      stack.timer = setTimeout(() => {
        stacks.delete(name);
        // Nobody is there to hear of it.
        stack.db.close({ drainMs: 0 }).catch(() => undefined);
      }, KEPT_MS);
      stack.timer.unref();
    },
  };
}
