/** Turns connections away. */
import type { Socket } from "node:net";
import type { RefuseMode } from "./disturbance.ts";
import { errorResponse, type ServerError } from "./messages.ts";
import { reset } from "./reset.ts";
import { firstPacket } from "./startup.ts";

export function turnAway(socket: Socket, mode: RefuseMode): void {
  socket.on("error", () => {});
  if (typeof mode === "object") refuseWith(socket, { severity: "FATAL", ...mode });
  else if (mode === "fin") socket.destroySoon();
  else reset(socket);
}

/** Answers as a server does that takes no more: an ErrorResponse to the startup packet, then the end. */
function refuseWith(socket: Socket, error: ServerError): void {
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
