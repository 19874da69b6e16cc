/**
 * Registers: which of two values is older, as far as the order of the events tells.
 *
 * A write takes effect after its invocation, and before its acknowledgement or before the first answer that shows it, whatever
 * comes first. Two writes whose spans overlap stand in no order, and nothing is claimed of them.
 */
import type { History } from "../history.ts";
import { type HistoryOperation, isOf } from "../operation.ts";
import { type Violation, violation } from "../violation.ts";

/** The span of events in which a write took effect. */
export interface RegisterWrite {
  readonly operation: HistoryOperation<"write">;
  readonly earliest: number;
  /** Infinity when nobody has seen it and nobody acknowledged it. */
  latest: number;
}

export interface Register {
  /** What it held before the first operation; null for nothing. */
  readonly opening: string | null;
  readonly writes: Map<string, RegisterWrite>;
  readonly reads: HistoryOperation<"read">[];
  /** The acknowledged write that began last. */
  newest: RegisterWrite | undefined;
}

/** Every register that is written or read. A write without a register is a row: the register of its own id. */
export function registersOf(history: History): Map<string, Register> {
  const registers = new Map<string, Register>();
  const of = (name: string): Register => {
    let register = registers.get(name);
    if (register === undefined) {
      const opening = history.opening.registers?.[name] ?? null;
      registers.set(name, (register = { opening, writes: new Map(), reads: [], newest: undefined }));
    }
    return register;
  };
  for (const operation of history.operations) {
    if (isOf(operation, "read")) {
      if (operation.outcome === "ok") of(operation.action.register).reads.push(operation);
    } else if (isOf(operation, "write")) {
      const register = of(operation.action.register ?? operation.action.id);
      const acknowledged = operation.outcome === "ok";
      const latest = acknowledged ? (operation.completed ?? Infinity) : Infinity;
      const write = { operation, earliest: operation.invoked, latest };
      register.writes.set(operation.action.id, write);
      if (acknowledged) register.newest = write;
    }
  }
  for (const { reads, writes } of registers.values()) {
    for (const { result, completed } of reads) {
      const write = typeof result === "string" ? writes.get(result) : undefined;
      if (write !== undefined) write.latest = Math.min(write.latest, completed ?? Infinity);
    }
  }
  return registers;
}

/**
 * Reads of registers show values that somebody wrote, and none whose write was reported as failed.
 *
 * Cannot prove that a value was the newest one: see `readYourWrites` and `monotonicReads` for what one session may expect.
 */
export function registerReads(history: History): Violation[] {
  const violations: Violation[] = [];
  for (const [name, { opening, writes, reads }] of registersOf(history)) {
    for (const read of reads) {
      const value = read.result ?? null;
      if (value === null || value === opening) continue;
      const write = writes.get(value);
      const shown = `register "${name}" was read as ${JSON.stringify(value)}`;
      if (write === undefined) {
        violations.push(violation("unwritten", `${shown}, which nobody wrote`, [read]));
      } else if (write.operation.outcome === "fail") {
        const message = `${shown}, whose write was reported as failed`;
        violations.push(violation("aborted-read", message, [read, write.operation]));
      } else if ((read.completed ?? Infinity) < write.earliest) {
        violations.push(violation("unwritten", `${shown} before that was written`, [read, write.operation]));
      }
    }
  }
  return violations;
}
