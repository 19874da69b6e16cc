/**
 * Messages of the PostgreSQL protocol by their names.
 *
 * Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Message Formats".
 */
import { oneOf, refusal } from "../check.ts";
import type { Direction } from "./pump.ts";

/** Type letters of what clients send. */
const toServer: Readonly<Record<string, string>> = {
  Bind: "B",
  Close: "C",
  CopyData: "d",
  CopyDone: "c",
  CopyFail: "f",
  Describe: "D",
  Execute: "E",
  Flush: "H",
  FunctionCall: "F",
  Parse: "P",
  PasswordMessage: "p",
  Query: "Q",
  Sync: "S",
  Terminate: "X",
};

/** Type letters of what servers send. */
const toClient: Readonly<Record<string, string>> = {
  Authentication: "R",
  BackendKeyData: "K",
  BindComplete: "2",
  CloseComplete: "3",
  CommandComplete: "C",
  CopyBothResponse: "W",
  CopyData: "d",
  CopyDone: "c",
  CopyInResponse: "G",
  CopyOutResponse: "H",
  DataRow: "D",
  EmptyQueryResponse: "I",
  ErrorResponse: "E",
  FunctionCallResponse: "V",
  NoData: "n",
  NoticeResponse: "N",
  NotificationResponse: "A",
  ParameterDescription: "t",
  ParameterStatus: "S",
  ParseComplete: "1",
  PortalSuspended: "s",
  ReadyForQuery: "Z",
  RowDescription: "T",
};

/** One kind of message that one side sends. */
export interface MessageType {
  readonly direction: Direction;
  /** Type byte. */
  readonly code: number;
}

/** Every message that has a name. */
export const messageNames: readonly string[] = [
  ...new Set([toServer, toClient].flatMap((one) => Object.keys(one))),
].toSorted();

/** Which sides send a message of this name or letter; none for what is no message. */
export function directionsOf(message: unknown): Direction[] {
  return (["toServer", "toClient"] as const).filter(
    (one) => letterOf(one === "toServer" ? toServer : toClient, message) !== undefined,
  );
}

/** @throws RangeError for a name or letter that is none, or that needs a direction. */
export function messageType(message: unknown, direction: Direction | undefined): MessageType {
  if (direction !== undefined) oneOf("direction", direction, ["toServer", "toClient"]);
  const ways: Direction[] = direction === undefined ? ["toServer", "toClient"] : [direction];
  const found = ways.flatMap((one): MessageType[] => {
    const names = one === "toServer" ? toServer : toClient;
    const letter = letterOf(names, message);
    return letter === undefined ? [] : [{ direction: one, code: letter.charCodeAt(0) }];
  });
  const [type, other] = found;
  if (type === undefined) {
    throw refusal("message", message, `a type letter or one of ${messageNames.join(", ")}${that(direction)}`);
  }
  if (other !== undefined) {
    throw refusal("direction", direction, `"toServer" or "toClient": both sides send ${String(message)}`);
  }
  return type;
}

function letterOf(names: Readonly<Record<string, string>>, message: unknown): string | undefined {
  if (typeof message !== "string") return undefined;
  if (Object.hasOwn(names, message)) return names[message];
  return Object.values(names).find((letter) => letter === message);
}

function that(direction: Direction | undefined): string {
  return direction === undefined ? "" : ` that goes ${direction}`;
}
