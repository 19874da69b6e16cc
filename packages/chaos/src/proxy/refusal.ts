/** Answers a connection as a server does that takes no more: an ErrorResponse to the startup packet, then the end. */
import type { Socket } from "node:net";
import { errorResponse, type ServerError } from "./messages.ts";
import { firstPacket } from "./startup.ts";

export function refuseWith(socket: Socket, error: ServerError): void {
  let held = Buffer.alloc(0);
  socket.on("end", () => socket.destroySoon());
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const { kind, size } = firstPacket(held);
      if (kind === "incomplete") return;
      if (kind === "ssl" || kind === "gss") {
        socket.write("N"); // no encryption: the client asks again in the clear
        held = held.subarray(size);
        continue;
      }
      if (kind === "start") socket.write(errorResponse(error));
      socket.destroySoon();
      return;
    }
  });
}
