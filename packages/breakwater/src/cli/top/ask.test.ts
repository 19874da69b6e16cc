import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { ask } from "./ask.ts";

describe("ask", () => {
  it("gives up an answer that goes on and on", async () => {
    const part = Buffer.alloc(1_000, " ");
    const server = http.createServer((_, response) => {
      const more = (): void => void response.write(part);
      response.on("drain", more);
      for (let at = 0; at < 200; at += 1) more();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/status.json`);
      const { signal } = new AbortController();
      await expect(ask(url, undefined, signal, 50_000)).rejects.toMatchObject({
        message: "an answer of more than 50000 bytes",
        final: "shape",
      });
    } finally {
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
    }
  });
});
