/**
 * What the server sends to the channels that a client listens to.
 */
import type { DriverNotification } from "@breakwater/core";
import type { PgClient } from "./types.ts";

/** Hears notifications, and the end of the link, until the returned function is called. */
export function hearNotifications(
  client: PgClient,
  heard: (notification: DriverNotification) => void,
  lost: (error: unknown) => void,
): () => void {
  const onNotification = (message: unknown): void => {
    const { channel, payload, processId } = message as {
      readonly channel: string;
      readonly payload?: string;
      readonly processId: number;
    };
    heard({ channel, payload: payload ?? "", processId });
  };
  const onEnd = (): void => lost(new Error("Connection terminated unexpectedly"));
  client.on("notification", onNotification);
  client.on("error", lost);
  client.on("end", onEnd);
  return () => {
    client.removeListener("notification", onNotification);
    client.removeListener("error", lost);
    client.removeListener("end", onEnd);
  };
}
