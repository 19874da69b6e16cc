/**
 * Shows sessions that outlive a process: two instances of a service, each a process of its own, and a replica that has stopped
 * applying changes. What a visitor writes through one instance the other one shows, by the token in the visitor's cookie.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { startCluster } from "@breakwater/chaos";

// Until it is told otherwise, the replica has applied a commit before it is acknowledged: both begin alike.
const settings = { synchronous_commit: "remote_apply" };
await using cluster = await startCluster({ replicas: 1, synchronous: true, settings });
const {
  primary,
  replicas: [replica],
} = cluster;
assert(replica !== undefined);
await primary.query("CREATE TABLE profiles (name text PRIMARY KEY, motto text)");
await primary.query("INSERT INTO profiles VALUES ('ann', 'old')");
await cluster.setSynchronous(false);

const urls = cluster.nodes.map((node) => node.connectionString);
const instances = [1, 2].map(() => fork(new URL("./service.ts", import.meta.url), urls));
const [first, second] = await Promise.all(instances.map(urlOf));

await replica.pauseReplay();
const wrote = await fetch(`${first}/profile/ann`, { method: "PUT", body: "new" });
assert.equal(wrote.status, 204);
const [cookie = ""] = wrote.headers.getSetCookie();

assert.deepEqual(await replica.query("SELECT motto FROM profiles"), [{ motto: "old" }]);
console.log("Written through the one instance; the replica has not applied it.");

const seen = await fetch(`${second}/profile/ann`, { headers: { cookie } });
assert.equal(await seen.text(), "new");
console.log("The other instance shows it to whoever brings the cookie.");
const other = await fetch(`${second}/profile/ann`);
console.log(`A stranger, who cannot know better, is shown what the replica has: ${await other.text()}.`);

// Nor does time go back for who has only read: the answer brought a cookie, too.
await replica.resumeReplay();
const [later = ""] = seen.headers.getSetCookie();
const again = await fetch(`${first}/profile/ann`, { headers: { cookie: later } });
assert.equal(await again.text(), "new");

for (const instance of instances) instance.disconnect();
const ends = await Promise.all(instances.map((instance) => once(instance, "exit")));
assert.deepEqual(ends.flat(), [0, null, 0, null]);

async function urlOf(instance: ChildProcess): Promise<string> {
  const ended = once(instance, "exit").then(([code]) => assert.fail(`an instance has ended with ${code}`));
  const [url] = await Promise.race([once(instance, "message"), ended]);
  return String(url);
}
