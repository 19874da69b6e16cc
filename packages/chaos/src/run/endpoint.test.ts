import { connect, createServer, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { Endpoint } from "./endpoint.ts";

describe("an endpoint", () => {
  it.each(["reset", "closed"] as const)(
    "hands on that a connection was %s, and can be closed after it",
    async (how) => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", () => (how === "reset" ? socket.resetAndDestroy() : socket.end()));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const endpoint = new Endpoint(() => (server.address() as AddressInfo).port);
      await endpoint.listen();
      for (let round = 0; round < 10; round += 1) {
        const seen = await new Promise<unknown>((resolve) => {
          const client = connect(endpoint.port, "127.0.0.1", () => client.write("x"));
          client.on("error", ({ message }) => resolve(message));
          client.on("end", () => resolve("end"));
        });
        expect(seen).toBe(how === "reset" ? "read ECONNRESET" : "end");
      }
      await endpoint.close();
      await new Promise((resolve) => server.close(resolve));
    },
  );
});
