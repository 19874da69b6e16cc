/**
 * LISTEN and NOTIFY.
 */
import { type NotificationTexts, OptionError } from "@breakwater/core";

/** Longest name of a channel, in bytes (NAMEDATALEN - 1): LISTEN would cut a longer one off, and hear another channel. */
const MAX_BYTES = 63;

export const notifications: NotificationTexts = Object.freeze({
  listen: (channel: string) => `LISTEN ${quoted(channel)}`,
  unlisten: (channel: string) => `UNLISTEN ${quoted(channel)}`,
  notify: (channel: string, payload: string) => ({
    text: "SELECT pg_notify($1, $2)",
    values: [checked(channel), payload],
  }),
});

function quoted(channel: string): string {
  return `"${checked(channel).replaceAll('"', '""')}"`;
}

function checked(channel: unknown): string {
  if (
    typeof channel !== "string" ||
    channel === "" ||
    channel.includes("\0") ||
    Buffer.byteLength(channel) > MAX_BYTES
  ) {
    throw new OptionError("channel", channel, `a text of 1 to ${MAX_BYTES} bytes without zero characters`);
  }
  return channel;
}
