/** A process that passes connections on and lets every answer take its time: `node delay.ts <host> <port> <ms>`. */
import { createServer, connect, type Socket } from "node:net";

const [host = "127.0.0.1", port = "5432", ms = "0"] = process.argv.slice(2);

function pass(from: Socket, to: Socket): void {
  from.on("data", (bytes) => to.writable && to.write(bytes));
  from.on("close", () => to.destroy());
  from.on("error", () => undefined);
}

// All of it on the way back: timers know whole milliseconds only, so that two halves of one would be twice as long.
function passLater(from: Socket, to: Socket): void {
  from.on("data", (bytes) => setTimeout(() => to.writable && to.write(bytes), Number(ms)));
  from.on("close", () => setTimeout(() => to.destroy(), Number(ms)));
  from.on("error", () => undefined);
}

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true });
  pass(client, upstream);
  passLater(upstream, client);
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as { readonly port: number }).port));
process.on("disconnect", () => process.exit());
