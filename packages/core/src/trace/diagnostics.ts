/**
 * Every event of a stack on `node:diagnostics_channel` too, as `breakwater:<event>`: for tools that watch a process from
 * outside its code. The message is the event itself.
 */
import { type Channel, channel } from "node:diagnostics_channel";

/** What stands before an event's name in the name of its channel. */
const PREFIX = "breakwater:";

// Channels that nobody holds are collected, and a new one of the same name is another: so each is held, once for the process.
const channels = new Map<string, Channel>();

/** The channel of an event. */
export function channelOf(event: string): Channel {
  let found = channels.get(event);
  if (found === undefined) {
    found = channel(PREFIX + event);
    channels.set(event, found);
  }
  return found;
}
