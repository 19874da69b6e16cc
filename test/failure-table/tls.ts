/** Scenarios with listeners that begin TLS and do not go on with it. */
import { createServer, type Server } from "node:net";

import pg from "pg";

import { errorOf } from "./lab.ts";
import type { Observation } from "./law.ts";
import type { Scenario } from "./scenario.ts";

/** Answers each message of a client with the next of these; undefined ends the connection. */
async function answering(...answers: readonly (string | undefined)[]): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    let next = 0;
    socket.on("error", () => {});
    socket.on("data", () => {
      const answer = answers[next++];
      if (answer === undefined) socket.end();
      else socket.write(answer);
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  return { server, port };
}

async function refusal(...answers: readonly (string | undefined)[]): Promise<unknown> {
  const { server, port } = await answering(...answers);
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", ssl: { rejectUnauthorized: false } });
  client.on("error", () => {});
  try {
    return await errorOf(client.connect());
  } finally {
    await client.end().catch(() => undefined);
    server.close();
  }
}

const handshakes: Scenario = {
  name: "a TLS handshake that fails",
  async run() {
    const seen: Observation[] = [
      { row: "pg TLS refused", column: "C", law: "other once", error: await refusal("?") },
      { row: "pg no TLS", column: "C", law: "no", error: await refusal("N") },
      { row: "TLS broke", column: "C", law: "other once", error: await refusal("S", "this is not TLS at all") },
      { row: "socket lost", column: "C", law: "other", error: await refusal("S", undefined) },
    ];
    return seen;
  },
};

/** Between the greeting and the login. */
export const tlsScenarios: readonly Scenario[] = [handshakes];
