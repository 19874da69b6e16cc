/** Asks a status endpoint how things stand. */
import type { StatusReport } from "../../status/report.ts";

/** Longest wait for an answer, in milliseconds. */
const ANSWER_MS = 5_000;
/** Longest answer, in bytes: a node takes about one or two thousand, an event at most some hundreds. */
const MAX_ANSWER = 64 * 1_024 * 1_024;

/** There was no answer of use. */
export class NoAnswerError extends Error {
  override readonly name: string = "NoAnswerError";
  /** Asking again will not help: the token is wrong, or this is no status endpoint. */
  readonly final: "token" | "shape" | undefined;

  constructor(message: string, final?: "token" | "shape") {
    super(message);
    this.final = final;
  }
}

/** What the endpoint says. @throws NoAnswerError that says what was wrong; the signal's reason when that was first. */
export async function ask(
  url: URL,
  token: string | undefined,
  signal: AbortSignal,
  maxBytes: number = MAX_ANSWER,
): Promise<StatusReport> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, {
      headers: { accept: "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      // A token goes where it was meant to go.
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    text = await textOf(answer, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NoAnswerError) throw error;
    throw new NoAnswerError(reasonOf(error));
  }
  const { status } = answer;
  if (status === 401 || status === 403) throw new NoAnswerError(`${status}: ${errorOf(text)}`, "token");
  // What stands before a service answers so while that is away.
  if (status >= 500) throw new NoAnswerError(`${status}: ${errorOf(text)}`);
  const report = parsed(text) as Partial<StatusReport> | undefined;
  if (status !== 200 || report?.format !== 1 || !Array.isArray(report.databases))
    throw new NoAnswerError(`${status}, and no status of a kind that is known`, "shape");
  return report as StatusReport;
}

/** The whole text. @throws NoAnswerError as soon as it is too long. */
async function textOf(answer: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > maxBytes) throw new NoAnswerError(`an answer of more than ${maxBytes} bytes`, "shape");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function errorOf(text: string): string {
  const { error } = (parsed(text) ?? {}) as { readonly error?: unknown };
  return typeof error === "string" ? error : "no reason given";
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${ANSWER_MS / 1_000} s`;
  const { code, message } = (error.cause ?? error) as { readonly code?: string; readonly message?: string };
  return code ?? message ?? error.message;
}
