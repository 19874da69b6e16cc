import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { reset, resetWhenWritten } from "./reset.ts";

/** Both ends of one connection. */
async function pair(): Promise<{ near: Socket; far: Socket; broken: Promise<unknown> }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const far = connect((server.address() as { port: number }).port, "127.0.0.1");
  const broken = new Promise((resolve) => far.on("error", resolve));
  onTestFinished(() => void far.destroy());
  const [near] = (await once(server, "connection")) as [Socket];
  return { near, far, broken };
}

const lost = expect.objectContaining({ code: "ECONNRESET" });

describe("reset", () => {
  it("breaks the connection off", async () => {
    const { near, broken } = await pair();
    const closed = once(near, "close");
    reset(near);
    reset(near);
    expect(await broken).toEqual(lost);
    await closed;
  });

  it("does not wait for what the other side does not read", async () => {
    const { near, far } = await pair();
    far.pause();
    near.write(Buffer.alloc(50_000_000));
    const closed = once(near, "close");
    reset(near);
    await closed;
    expect(near.destroyed).toBe(true);
  });

  it("closes a socket that is just being ended, however often it is told", async () => {
    const { near } = await pair();
    const closed = once(near, "close");
    near.end("last words");
    reset(near);
    near.destroy();
    await closed;
    expect(near.destroyed).toBe(true);
  });

  it("closes a socket that is not connected yet", async () => {
    const { far } = await pair();
    const late = connect(far.remotePort ?? 0, "127.0.0.1");
    const closed = once(late, "close");
    reset(late);
    await closed;
    expect(late.destroyed).toBe(true);
  });

  it("waits, when it is to, until all has been written", async () => {
    const { near, far, broken } = await pair();
    let size = 0;
    far.on("data", (chunk: Buffer) => (size += chunk.length));
    near.write(Buffer.alloc(80_000_000));
    expect(near.writableLength).toBeGreaterThan(0);
    resetWhenWritten(near);
    expect(await broken).toEqual(lost);
    // What the system has taken over is lost with the connection; that is little of it.
    expect(size).toBeGreaterThan(40_000_000);
  });
});
