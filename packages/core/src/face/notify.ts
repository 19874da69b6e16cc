/**
 * Notifications: what is sent, and who may.
 */
import type { Statement } from "../contract/pool.ts";
import { unable } from "./row-stream.ts";
import type { FaceHost } from "./together.ts";

/** The statement that sends a notification. @throws UsageError when the database has none; OptionError for a bad channel. */
export function notification({ name, dialect }: FaceHost, channel: string, payload: string): Statement {
  if (dialect.notifications === undefined) throw unable(name, "notifications");
  return dialect.notifications.notify(channel, payload);
}
