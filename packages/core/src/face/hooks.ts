/**
 * What a transaction's function wants done once its work is there for others to see.
 */
import { messageOf } from "../contract/errors.ts";

/** Runs what was to be done after the commit. The commit stands, so a hook's error is told, never thrown. */
export async function runHooks(hooks: readonly (() => unknown)[]): Promise<void> {
  for (const hook of hooks) {
    try {
      await hook();
    } catch (error) {
      process.emitWarning(`an afterCommit() hook threw: ${messageOf(error)}`, { code: "BREAKWATER_HOOK" });
    }
  }
}
