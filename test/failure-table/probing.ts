/** What the probe is told by a primary, a standby, to a role without rights, and across a promotion. */
import type { Connection, NodeState } from "@breakwater/core";
import { postgres } from "@breakwater/postgres";
import { expect } from "vitest";

import { type Lab, type Session, until } from "./lab.ts";

/** A probe on bare `pg`, and how many statements it took. */
async function probe({ client }: Session): Promise<NodeState & { readonly asked: number }> {
  let asked = 0;
  const connection = {
    query: (statement: { text: string }) => {
      asked++;
      return client.query(statement.text);
    },
    driver: client,
  };
  return { ...(await postgres.probe(connection as unknown as Connection)), asked };
}

/** In the order in which they are run: the last one promotes the replica. */
export const probeScenarios: readonly { readonly name: string; run(lab: Lab): Promise<void> }[] = [
  {
    name: "a primary and its standby as any role, in one round trip",
    async run(lab) {
      await lab.caughtUp();
      for (const user of ["postgres", "plain"]) {
        const primary = await probe(await lab.open(lab.primary, { user }));
        const replica = await probe(await lab.open(lab.replica, { user }));
        expect(primary).toMatchObject({ role: "primary", timeline: 1, asked: 1 });
        expect(replica).toMatchObject({ role: "replica", timeline: 1, asked: 1, systemId: primary.systemId });
        expect(primary.systemId).toMatch(/^\d{15,20}$/);
        expect(primary.position).toBeGreaterThan(0n);
        expect(replica.position).toBeGreaterThanOrEqual(primary.position ?? 1n);
      }
    },
  },
  {
    name: "a server that lets the role ask little",
    async run(lab) {
      const functions = ["pg_control_system()", "pg_control_checkpoint()", "pg_control_recovery()"];
      await lab.primary.query(functions.map((name) => `revoke execute on function ${name} from public`).join(";"));
      await lab.caughtUp();
      const primary = await lab.open(lab.primary, { user: "plain" });
      const replica = await lab.open(lab.replica, { user: "plain" });
      expect(await probe(primary)).toMatchObject({ role: "primary", timeline: 1, systemId: undefined, asked: 2 });
      expect(await probe(primary)).toMatchObject({ asked: 1 });
      expect(await probe(replica)).toMatchObject({ role: "replica", timeline: undefined, asked: 2 });
      expect((await probe(replica)).position).toBeGreaterThan(0n);
      await lab.primary.query("revoke execute on function pg_walfile_name(pg_lsn) from public");
      const third = await lab.open(lab.primary, { user: "plain" });
      expect(await probe(third)).toMatchObject({ role: "primary", timeline: undefined, asked: 3 });
      await lab.primary.query(functions.map((name) => `grant execute on function ${name} to public`).join(";"));
      await lab.caughtUp();
    },
  },
  {
    name: "a promotion on a connection that was open before",
    async run(lab) {
      const { replica, primary } = lab;
      const session = await lab.open(replica);
      const before = await probe(session);
      await replica.promote();
      const after = await probe(session);
      expect(after).toMatchObject({ role: "primary", timeline: 2, systemId: before.systemId });
      expect(after.position).toBeGreaterThanOrEqual(before.position ?? 0n);
      // The old primary does not know: only the timelines tell the two apart.
      expect(await probe(await lab.open(primary))).toMatchObject({ role: "primary", timeline: 1 });
      await primary.follow(replica);
      const follower = await lab.open(primary);
      await until("the old primary to have followed", async () => (await probe(follower)).timeline === 2);
      expect(await probe(follower)).toMatchObject({ role: "replica", timeline: 2 });
    },
  },
];
