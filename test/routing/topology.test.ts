import { type Cluster, startCluster } from "@breakwater/chaos";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { breakwater } from "breakwater";

describe("the nodes of a running stack", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 1 });
  });

  afterAll(async () => {
    await cluster.close();
  });

  it("come and go, by name, with calls under way", async () => {
    const [primary, replica] = cluster.nodes;
    await using db = breakwater({ primary: { source: primary?.connectionString ?? "", name: "first" } });
    await db.query("CREATE TABLE visited (port int)");
    db.topology.add({ source: replica?.connectionString ?? "", name: "second", zone: "b" });
    const askPort = async (): Promise<number | undefined> => {
      const options = { access: "read", consistency: "eventual" } as const;
      const { rows } = await db.query<{ port: number }>("SELECT inet_server_port() AS port", options);
      return rows[0]?.port;
    };
    await expect
      .poll(() => db.topology.nodes.map(({ name, role, state }) => `${name} ${role} ${state}`))
      .toEqual(["first primary up", "second replica up"]);
    expect(await askPort()).toBe(replica?.directPort);
    await db.topology.drain("second");
    expect(await askPort()).toBe(primary?.directPort);
    db.topology.resume("second");
    expect(await askPort()).toBe(replica?.directPort);
    await db.topology.remove("second");
    expect(await askPort()).toBe(primary?.directPort);
    expect(() => db.topology.add({ source: "nonsense" })).toThrow(/breakwater\.node\.source/);
    await expect(db.topology.remove("third")).rejects.toThrow(/third/);
  });

  it("are reached from every face that is made of it", async () => {
    const [primary, replica] = cluster.nodes;
    await using db = breakwater({ primary: { source: primary?.connectionString ?? "", name: "first" } });
    await db.query("SELECT 1");
    const reports = db.with({ consistency: "eventual", label: "reports" });
    const own = reports.session().with({ timeoutMs: 5_000 });
    own.topology.add({ source: replica?.connectionString ?? "", name: "second" });
    for (const face of [db, reports, own, db.session()]) {
      expect(face.topology).toBe(db.topology);
      expect(face.topology.nodes.map(({ name }) => name)).toEqual(["first", "second"]);
    }
    await expect.poll(() => own.topology.nodes.map(({ state }) => state)).toEqual(["up", "up"]);
    for (const face of [db, reports, own])
      expect(await face.health()).toMatchObject({ status: "ok", readable: true, writable: true });
    expect(await reports.explain((face) => face.value("SELECT 7"))).toMatchObject({ value: 7 });
    await own.topology.remove("second");
    expect(db.topology.nodes).toHaveLength(1);
  });

  it("are looked at before the first health is told", async () => {
    const [primary, replica] = cluster.nodes;
    const connectionStrings = { primary: primary?.connectionString ?? "", replicas: [replica?.connectionString ?? ""] };
    for (let time = 1; time <= 5; time += 1) {
      await using db = breakwater(connectionStrings);
      expect(await db.health({ timeoutMs: 20_000 })).toMatchObject({ readable: true, writable: true });
    }
  });
});
