/**
 * What went wrong in the kit itself, never in the system under test.
 *
 * - `ERR_BREAKWATER_CHAOS_TIMEOUT`: something awaited did not happen within its limit.
 * - `ERR_BREAKWATER_CHAOS_STATE`: the call makes no sense in the present state (starting a running node, using a closed cluster).
 * - `ERR_BREAKWATER_CHAOS_SETUP`: servers could not be made ready (no binaries, a folder that cannot be used, a tool that failed).
 */
export type ChaosErrorCode =
  | "ERR_BREAKWATER_CHAOS_TIMEOUT"
  | "ERR_BREAKWATER_CHAOS_STATE"
  | "ERR_BREAKWATER_CHAOS_SETUP";

/** Every failure of the kit: which node, what was awaited or attempted, the last underlying error, the server's log. */
export class ChaosError extends Error {
  /** Name of the class. */
  override readonly name: string = "ChaosError";
  /** What callers compare. */
  readonly code: ChaosErrorCode;

  constructor(code: ChaosErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function stateError(message: string): ChaosError {
  return new ChaosError("ERR_BREAKWATER_CHAOS_STATE", message);
}

export function setupError(message: string, cause?: unknown): ChaosError {
  return new ChaosError("ERR_BREAKWATER_CHAOS_SETUP", message, { cause });
}
