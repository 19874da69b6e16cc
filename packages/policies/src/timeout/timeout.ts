/**
 * Limits how long one call may take.
 *
 * Above `retry` it bounds all attempts together; below, each one. It only narrows the deadline; the adapter cleans up.
 */
import {
  adjustable,
  type Clock,
  knownOptions,
  OptionError,
  type Policy,
  positiveMs,
  statefulPolicy,
  systemClock,
} from "@breakwater/core";

/** How long a call may take. */
export interface TimeoutOptions {
  /** Longest a call may take, in milliseconds; above 0. */
  readonly limitMs: number;
  /** Source of the time; the same as the adapter's, since it compares the deadline with its own. @default systemClock */
  readonly clock?: Clock;
}

/**
 * Gives every call a deadline at most `limitMs` away. A nearer one stays.
 * @throws OptionError when `limitMs` is out of range: here, not at the first call.
 */
export function timeout(options: TimeoutOptions): Policy {
  const checked = check(options);

  return statefulPolicy("timeout", () => {
    const { clock } = checked;
    let { limitMs } = checked;
    return {
      execute(operation, next) {
        const deadline = clock.now() + limitMs;
        const { trace } = operation;
        const nearer = operation.deadline <= deadline;
        if (trace?.detailed === true)
          trace.note("timeout", nearer ? "leaves a nearer deadline" : "sets a deadline", { limitMs });
        return next(nearer ? operation : { ...operation, deadline });
      },
      control: adjustable({
        owner: "timeout",
        options: checked,
        names: ["limitMs"],
        check,
        apply: (changed) => {
          ({ limitMs } = changed);
        },
      }),
    };
  });
}

function check(options: TimeoutOptions): Required<TimeoutOptions> {
  const { limitMs, clock = systemClock } = knownOptions("timeout", options, ["limitMs", "clock"]);
  if (typeof clock?.setTimer !== "function") throw new OptionError("timeout.clock", clock, "a clock");
  return { limitMs: positiveMs("timeout.limitMs", limitMs), clock };
}
