/**
 * Histories as JSON lines: a header, then one line for each event in its order. A file that ends early, because its writer was
 * killed, is read up to its last whole line.
 */
import { History } from "./history.ts";
import type { Action, FinalState, HistoryOperation, Opening, Outcome } from "./operation.ts";

/** First line. */
interface Header {
  readonly history: 1;
  readonly opening: Opening;
  readonly dropped: number;
  readonly finalState?: FinalState;
}

interface Invocation {
  readonly event: "invoke";
  readonly op: number;
  readonly atMs: number;
  readonly session: string;
  readonly action: Action;
}

interface Completion {
  readonly event: Exclude<Outcome, "pending">;
  readonly op: number;
  readonly atMs: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** A history, and what the database held in the end where that was written down with it. */
export interface ImportedHistory {
  /** As it was recorded. */
  readonly history: History;
  /** What the database held in the end; undefined where that was not written down. */
  readonly finalState: FinalState | undefined;
}

/** Writes a history as text that `fromJsonLines` reads. */
export function toJsonLines(history: History, finalState?: FinalState): string {
  const { opening, dropped } = history;
  const header: Header = { history: 1, opening, dropped, ...(finalState === undefined ? {} : { finalState }) };
  const events = eventsOf(history).map(({ operation, ends }) =>
    ends ? completionOf(operation) : invocationOf(operation),
  );
  return [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/**
 * Reads a history back from the `text` that was written of it. What was pending is pending again.
 *
 * @throws RangeError naming the line and what was expected there.
 */
export function fromJsonLines(text: string): ImportedHistory {
  const lines = text.split("\n");
  // What follows the last line end is empty, or was cut off while it was written.
  lines.pop();
  const header = parse(lines[0] ?? "", 1) as Partial<Header>;
  if (header.history !== 1) throw wrong(1, `a header with "history": 1`);
  let now = 0;
  const history = new History({
    opening: header.opening ?? {},
    maxOperations: Math.max(1, lines.length),
    now: () => now,
  });
  const answers: ReturnType<History["invoke"]>[] = [];
  for (const [at, line] of lines.entries()) {
    if (at === 0) continue;
    const event = parse(line, at + 1) as Partial<Invocation> | Partial<Completion>;
    now = event.atMs ?? 0;
    if (event.event === "invoke") {
      const { session, action, op } = event as Invocation;
      if (op !== answers.length) throw wrong(at + 1, `the invocation of operation ${answers.length}`);
      if (typeof session !== "string" || typeof action?.kind !== "string")
        throw wrong(at + 1, "a session and an action");
      answers.push(history.invoke(session, action));
    } else {
      const { event: outcome, op, result, error } = event as Completion;
      const answer = answers[op];
      if (answer === undefined) throw wrong(at + 1, "an operation that was invoked before");
      if (outcome === "ok") answer.ok(result as never);
      else if (outcome === "fail" || outcome === "unknown") answer[outcome](error);
      else throw wrong(at + 1, `an event "invoke", "ok", "fail" or "unknown"`);
    }
  }
  history.noteDropped(header.dropped ?? 0);
  return { history, finalState: header.finalState };
}

/** One event of a history: an operation begins, or ends. */
export interface HistoryEvent {
  readonly operation: HistoryOperation;
  readonly ends: boolean;
}

/** All events in their order. */
export function eventsOf(history: History): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  for (const operation of history.operations) {
    events[operation.invoked] = { operation, ends: false };
    if (operation.completed !== undefined) events[operation.completed] = { operation, ends: true };
  }
  return events;
}

function invocationOf({ index, invokedMs, session, action }: HistoryOperation): Invocation {
  return { event: "invoke", op: index, atMs: invokedMs, session, action };
}

function completionOf({ index, outcome, completedMs, result, error }: HistoryOperation): Completion {
  return {
    event: outcome as Completion["event"],
    op: index,
    atMs: completedMs ?? 0,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
  };
}

function parse(line: string, number: number): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong(number, "one JSON object");
  }
  if (typeof value !== "object" || value === null) throw wrong(number, "one JSON object");
  return value;
}

function wrong(line: number, expected: string): RangeError {
  return new RangeError(`history, line ${line}: expected ${expected}`);
}
