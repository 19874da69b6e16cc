/** What a simulation finds. */
import type { ViolationKind } from "../history/violation.ts";

/**
 * What was broken. Beside what histories show (see `ViolationKind`):
 *
 * - `not-recovered`: the faults were over and time had passed, and calls still failed.
 * - `left-out`: a replica that served before the faults serves nothing after them.
 * - `permit-leak`: nothing runs, and a part of the stack still counts something as running or waiting.
 * - `connection-leak`, `timer-leak`, `close-hangs`: what a closed stack left behind, or that it did not close.
 * - `deadline-missed`: a call was answered later than its time limit allows.
 * - `amplification`: for each call, the database was asked too often.
 * - `livelock`: so many things happened without any time passing that the run was given up.
 * - `thrown`: a timer's function threw.
 */
export type SimulationViolationKind =
  | ViolationKind
  | "not-recovered"
  | "left-out"
  | "permit-leak"
  | "timer-leak"
  | "close-hangs"
  | "deadline-missed"
  | "amplification"
  | "livelock"
  | "thrown";

/** One thing that was broken, and when it was found, in milliseconds of virtual time. */
export interface SimulationViolation {
  /** Which rule was broken. */
  readonly kind: SimulationViolationKind;
  /** What happened, in one sentence. */
  readonly message: string;
  /** When it was found, in milliseconds of virtual time. */
  readonly atMs: number;
}
