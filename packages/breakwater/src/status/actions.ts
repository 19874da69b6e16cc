/** What can be done through the handler: what `db.controls` can, one thing a request. */
import { type Control, OptionError } from "@breakwater/core";
import type { Watched } from "./watched.ts";

/** A request cannot be carried out. */
export class ActionError extends Error {
  override readonly name: string = "ActionError";
}

/** Does what a body asks for. @throws ActionError that says what is wrong with it; OptionError from the policy. */
export async function act(databases: readonly Watched[], body: string): Promise<void> {
  const { database, control: name, action, values = [], configure } = parsed(body);
  const control = controlOf(databaseOf(databases, database), name);
  if ((action === undefined) === (configure === undefined))
    throw new ActionError('the body must have either "action" or "configure"');
  if (configure !== undefined) {
    control.configure(configure as Readonly<Record<string, unknown>>);
    return;
  }
  if (typeof action !== "string") throw new ActionError("action must be a text");
  if (!Array.isArray(values)) throw new ActionError("values must be an array");
  const outcome = Promise.resolve(control.act(action, ...(values as unknown[])));
  // Some last, as a drain does until no call runs there; that is for others to look at. What is wrong shows at once.
  await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve))]);
  outcome.catch(() => undefined);
}

interface Body {
  readonly database?: unknown;
  readonly control?: unknown;
  readonly action?: unknown;
  readonly values?: unknown;
  readonly configure?: unknown;
}

const MEMBERS = new Set(["database", "control", "action", "values", "configure"]);

function parsed(text: string): Body {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ActionError("the body is not JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new ActionError("the body must be an object");
  const unknown = Object.keys(body).find((member) => !MEMBERS.has(member));
  if (unknown !== undefined) throw new ActionError(`the body may have ${[...MEMBERS].join(", ")}`);
  return body;
}

function databaseOf(databases: readonly Watched[], name: unknown): Watched {
  const [first] = databases;
  if (name === undefined && first !== undefined && databases.length === 1) return first;
  const found = databases.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new ActionError(`database must be one of ${databases.map((each) => each.name).join(", ")}`);
}

function controlOf({ db }: Watched, name: unknown): Control {
  if (typeof name !== "string") throw new ActionError("control must be a text");
  return db.controls.get(name);
}

/** What is told of an error to those who asked: it is theirs, unless something broke. */
export function complaintOf(error: unknown): string | undefined {
  return error instanceof ActionError || error instanceof OptionError ? error.message : undefined;
}
