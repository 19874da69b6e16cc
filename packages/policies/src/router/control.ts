/**
 * What may be changed of a running router, and done to its nodes.
 */
import { adjustable, Control, type Events, type PolicyControl } from "@breakwater/core";
import type { Membership } from "./membership.ts";
import { checkLimits, LIMITS, type RouterLimits } from "./options.ts";
import type { Topology } from "./topology.ts";

/** The hand on a router: its limits are one object, which all of its parts look at. */
export function routerControl(limits: RouterLimits, membership: Membership): PolicyControl {
  return adjustable<RouterLimits>({
    owner: "router",
    options: { ...limits },
    names: LIMITS,
    // Of ejection as well, what is left out stays.
    check: ({ ejection, ...others }: RouterLimits) =>
      checkLimits({ ...others, ejection: hasParts(ejection) ? { ...limits.ejection, ...ejection } : ejection }),
    apply: (changed) => void Object.assign(limits, changed),
    actions: {
      drain: (node: string) => membership.drain(node),
      resume: (node: string) => membership.resume(node),
      weigh: (node: string, weight: number) => membership.weigh(node, weight),
    },
  });
}

/** Whether it is options at all; whatever else is refused by the check, or switches ejection off. */
function hasParts(ejection: unknown): ejection is object {
  return typeof ejection === "object" && ejection !== null && !Array.isArray(ejection);
}

/** The router's own control, and those of its nodes' policies, each under the node's name. */
export function controlsBehind(
  router: { readonly name: string; readonly events: Events },
  own: PolicyControl,
  { nodes }: Topology,
): readonly Control[] {
  const behind = nodes.flatMap((node) =>
    (node.pool.controls?.() ?? []).map((control) => control.as(`${node.name}/${control.name}`)),
  );
  return [new Control("router", { policy: "router", pool: router.name, events: router.events }, own), ...behind];
}
