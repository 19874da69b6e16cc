/** A process that passes connections on and lets everything take its time: `node delay.ts <host> <port> <ms each way>`. */
import { createServer, connect, type Socket } from "node:net";

const [host = "127.0.0.1", port = "5432", ms = "0"] = process.argv.slice(2);

function pass(from: Socket, to: Socket): void {
  from.on("data", (bytes) => setTimeout(() => to.writable && to.write(bytes), Number(ms)));
  from.on("close", () => setTimeout(() => to.destroy(), Number(ms)));
  from.on("error", () => undefined);
}

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true });
  pass(client, upstream);
  pass(upstream, client);
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as { readonly port: number }).port));
process.on("disconnect", () => process.exit());
